"""What is remembered of repositories."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from fuel_image.archive.release import OutdatedError
from fuel_image.archive.seen import Seen
from fuel_image.request import Repository

DATE = 1_700_000_000


def mine(*uris: str, suite: str = "stable") -> Repository:
    return Repository("mine", uris, suite, ("main",))


def test_the_newest_of_many_at_once_counts(tmp_path: Path) -> None:
    def judge(date: int) -> None:
        try:
            Seen(tmp_path).judge(mine("http://mirror.example.org"), date)
        except OutdatedError:
            assert date < DATE + 99

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(judge, [DATE + (number * 37) % 100 for number in range(100)]))
    (file,) = tmp_path.iterdir()
    assert file.read_text().startswith(f"{DATE + 99}\n")


def test_a_repository_is_known_by_each_of_its_mirrors_and_by_its_suite(tmp_path: Path) -> None:
    seen = Seen(tmp_path)
    seen.judge(mine("http://a.example.org", "http://user:s3cret@b.example.org"), DATE)
    seen.judge(mine("http://c.example.org"), DATE - 1)
    seen.judge(mine("http://a.example.org", suite="other"), DATE - 1)
    for uri in ("http://a.example.org", "http://b.example.org", "http://other@a.example.org"):
        with pytest.raises(OutdatedError, match="mine: it is of 2023-11-14 22:13 UTC, and one of 2023-11-14 22:13"):
            seen.judge(mine("http://c.example.org", uri), DATE - 1)
    assert not any("s3cret" in path.read_text() for path in tmp_path.iterdir())


def test_a_mirror_that_is_new_in_a_list_is_not_older_than_the_others(tmp_path: Path) -> None:
    seen, both = Seen(tmp_path), mine("http://a.example.org", "http://b.example.org")
    seen.judge(mine("http://a.example.org"), DATE)
    with pytest.raises(OutdatedError):
        seen.judge(both, DATE - 1)
    with pytest.raises(OutdatedError):
        seen.judge(mine("http://b.example.org"), DATE - 1)


def test_a_date_to_come_does_not_make_the_next_one_old(tmp_path: Path) -> None:
    now = int(time.time())
    Seen(tmp_path).judge(mine("http://a.example.org"), now + 10**9)
    Seen(tmp_path).judge(mine("http://a.example.org"), now + 60)
