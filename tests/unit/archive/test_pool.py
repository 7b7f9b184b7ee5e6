"""The store of fetched files."""

from __future__ import annotations

import concurrent.futures
import hashlib
import os
import threading
import time
from pathlib import Path

import pytest

from fuel_image.archive.pool import Pool
from fuel_image.errors import FetchError, HostError
from fuel_image.host.files import locked

from ..conftest import AfterNextLock

PATIENCE_SECONDS = 30
SHA256 = hashlib.sha256(b"content").hexdigest()


def test_those_who_want_the_same_files_at_the_same_time_bring_each_of_them_once(tmp_path: Path) -> None:
    """As fetch.py does it."""
    contents = [str(number).encode() for number in range(300)]
    builders = 4
    barrier = threading.Barrier(builders)
    brought: list[bytes] = []

    def build() -> None:
        pool = Pool(tmp_path)
        try:
            for content in contents:
                digest = hashlib.sha256(content).hexdigest()
                barrier.wait(PATIENCE_SECONDS)
                with pool.incoming(digest, threading.Event()) as part:
                    if pool.holds(digest, len(content)):
                        part.unlink(missing_ok=True)
                        continue
                    assert part.read_bytes() == b""
                    part.write_bytes(content)
                    brought.append(content)
                    pool.admit(part, digest)
        except BaseException:
            barrier.abort()
            raise

    with concurrent.futures.ThreadPoolExecutor(builders) as threads:
        futures = [threads.submit(build) for _ in range(builders)]
    errors = [future.exception() for future in futures]
    assert errors == [None] * builders
    assert sorted(brought) == sorted(contents)
    assert sorted(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()) == sorted(contents)


def test_a_place_that_became_a_member_while_one_waited_for_it_is_no_place(
    after_next_lock: AfterNextLock, tmp_path: Path
) -> None:
    pool = Pool(tmp_path)

    def admitted() -> None:
        (part,) = tmp_path.rglob("*.part")
        part.write_bytes(b"content")
        pool.admit(part, SHA256)

    after_next_lock(admitted)
    with pool.incoming(SHA256, threading.Event()) as part:
        assert part.read_bytes() == b""
        assert pool.holds(SHA256, 7)


def test_who_is_stopped_waits_for_no_other_build(tmp_path: Path) -> None:
    stopped = threading.Event()
    stopped.set()
    pool, given_up = Pool(tmp_path), pytest.raises(FetchError, match="given up")
    with pool.incoming(SHA256, threading.Event()), given_up, pool.incoming(SHA256, stopped):
        pass


def test_what_a_killed_fetch_left_is_given_to_the_next(tmp_path: Path) -> None:
    pool = Pool(tmp_path)
    with pool.incoming(SHA256, threading.Event()) as part:
        part.write_bytes(b"con")
    with pool.incoming(SHA256, threading.Event()) as part:
        assert part.read_bytes() == b"con"
    assert not pool.holds(SHA256, 7)


def test_a_member_of_another_size_is_none(tmp_path: Path) -> None:
    pool = Pool(tmp_path)
    with pool.incoming(SHA256, threading.Event()) as part:
        part.write_bytes(b"content")
        pool.admit(part, SHA256)
    os.utime(pool.path(SHA256), (1, 1))
    assert pool.holds(SHA256, 7)
    assert pool.path(SHA256).stat().st_mtime > 1
    assert not pool.holds(SHA256, 8)
    assert not pool.path(SHA256).exists()


@pytest.mark.parametrize("digest", ["", "../../etc/passwd", "A" * 64, "0" * 63, "0" * 64 + "\n"])
def test_what_is_no_digest_names_no_file(digest: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is no SHA-256"):
        Pool(tmp_path).path(digest)


def test_a_directory_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    pool = Pool(tmp_path / "file")
    for needed in (pool.incoming(SHA256, threading.Event()), pool.used()):
        with pytest.raises(HostError, match="--cache-dir"), needed:
            pass


HOUR_SECONDS = 3600


def filled(tmp_path: Path, *ages_hours: int) -> Pool:
    """Return a pool with a member and an incoming file of ten bytes each for every age, whose name is the age."""
    for hours in ages_hours:
        for path in (tmp_path / "00" / f"{hours}", tmp_path / "00" / f"{hours}.part"):
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(b"ten bytes.")
            used = time.time() - hours * HOUR_SECONDS
            os.utime(path, (used, used))
    return Pool(tmp_path)


def names(pool: Pool) -> set[str]:
    return {path.name for path in pool.directory.glob("*/*")}


def test_what_was_used_longest_ago_goes_first_and_nothing_stays_half_fetched(tmp_path: Path) -> None:
    pool = filled(tmp_path, 2, 3, 1)
    pool.prune(1000)
    assert names(pool) == {"1", "2", "3"}
    assert pool.usage() == (3, 30)
    pool.prune(20)
    assert names(pool) == {"1", "2"}
    pool.prune(0)
    assert names(pool) == set()


def test_while_a_build_runs_only_what_was_not_used_within_a_day_goes(tmp_path: Path) -> None:
    pool = filled(tmp_path, 1, 23, 25, 50)
    with pool.used():
        pool.prune(0)
        assert names(pool) == {"1", "1.part", "23", "23.part"}
    pool.prune(0)
    assert names(pool) == set()


def test_several_builds_use_a_pool_that_may_not_be_there_yet(tmp_path: Path) -> None:
    pool = Pool(tmp_path / "pool")
    pool.prune(0)
    with pool.used(), locked(pool.directory, shared=True, wait=False):
        assert pool.usage() == (0, 0)


def test_a_file_that_was_used_before_the_clock_was_set_back(tmp_path: Path) -> None:
    pool = filled(tmp_path, -1)
    pool.prune(0)
    assert names(pool) == set()
