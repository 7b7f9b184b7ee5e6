"""The count of what builds fetch."""

from __future__ import annotations

import collections
import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from bench.proxy import Fetched

ENOUGH_TO_MEET_SECONDS = 0.2
PACKAGE, OTHER, RELEASE = (f"http://mirror.example.org/{name}" for name in ("a.deb", "b.deb", "dists/noble/InRelease"))


@pytest.mark.parametrize(
    ("addresses", "total", "duplicates"),
    [
        ((), 0, 0),
        ((PACKAGE, OTHER, RELEASE), 3, 0),
        ((RELEASE, RELEASE, PACKAGE), 3, 0),
        ((PACKAGE, OTHER, PACKAGE, OTHER, PACKAGE), 5, 3),
    ],
)
def test_what_is_fetched_twice(addresses: tuple[str, ...], total: int, duplicates: int) -> None:
    fetched = Fetched()
    for address in addresses:
        fetched.note(address)
    assert (fetched.total, fetched.duplicates) == (total, duplicates)


def test_two_who_fetch_at_the_same_time_are_two() -> None:
    both = threading.Barrier(2, timeout=ENOUGH_TO_MEET_SECONDS)

    class Slow(collections.Counter[str]):
        def __getitem__(self, address: str) -> int:
            count = super().__getitem__(address)
            with contextlib.suppress(threading.BrokenBarrierError):
                both.wait()
            return count

    fetched = Fetched(Slow())
    with ThreadPoolExecutor(2) as threads:
        assert list(threads.map(fetched.note, [PACKAGE, PACKAGE])) == [None, None]
    assert fetched.total == 2
