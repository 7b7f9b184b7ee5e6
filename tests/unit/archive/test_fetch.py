"""Fetching, by way of files; the HTTP side is tested with a real server."""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path

import pytest

from fuel_image.archive.fetch import Fetcher, Wanted
from fuel_image.archive.pool import Pool
from fuel_image.errors import FetchError
from fuel_image.progress import Step

CONTENT = b"some bytes" * 100
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def fetcher(tmp_path: Path) -> Fetcher:
    return Fetcher(Pool(tmp_path / "pool"), attempts=2)


def wanted(*paths: Path) -> Wanted:
    return Wanted(tuple(path.as_uri() for path in paths), len(CONTENT), SHA256, "a file")


def test_a_file_is_fetched_once_into_the_pool(fetcher: Fetcher, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(CONTENT)
    step = Step("fetching")
    fetcher.fetch([wanted(source)], step)
    assert fetcher.pool.path(SHA256).read_bytes() == CONTENT
    assert (step.done_bytes, step.total_bytes) == (len(CONTENT), len(CONTENT))
    source.unlink()
    fetcher.fetch([wanted(source)], step)


def test_what_a_killed_fetch_left_is_resumed_or_thrown_away(fetcher: Fetcher, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(CONTENT)
    for left in (CONTENT[:300], b"other bytes", CONTENT + b"more"):
        with fetcher.pool.incoming(SHA256, threading.Event()) as part:
            part.write_bytes(left)
        fetcher.fetch([wanted(source)], Step("fetching"))
        assert fetcher.pool.path(SHA256).read_bytes() == CONTENT
        fetcher.pool.path(SHA256).unlink()


@pytest.mark.parametrize("bad", [CONTENT[:-1], CONTENT + b"x", b"x" * len(CONTENT)], ids=["short", "long", "wrong"])
def test_wrong_bytes_never_reach_the_pool_and_the_next_mirror_is_asked(
    fetcher: Fetcher, tmp_path: Path, bad: bytes
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.write_bytes(bad)
    with pytest.raises(FetchError, match=r"a file: .*first: it.*attempts: 2"):
        fetcher.fetch([wanted(first)], Step("fetching"))
    assert not fetcher.pool.path(SHA256).exists()
    second.write_bytes(CONTENT)
    Fetcher(fetcher.pool).fetch([wanted(first, second)], Step("fetching"))
    assert fetcher.pool.holds(SHA256, len(CONTENT))


def test_a_missing_file_is_told_apart(fetcher: Fetcher, tmp_path: Path) -> None:
    with pytest.raises(FetchError, match="no such file") as caught:
        fetcher.small(((tmp_path / "none").as_uri(),), "a file", 100)
    assert caught.value.missing


def test_a_small_file_has_a_limit(fetcher: Fetcher, tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(b"x" * 101)
    with pytest.raises(FetchError, match="longer than the 100 bytes"):
        fetcher.small(((tmp_path / "big").as_uri(),), "a file", 100)
