"""A limit holds for all threads together; the clock is ours."""

from __future__ import annotations

import pytest

from fuel_image.archive import throttle
from fuel_image.archive.throttle import Throttle


class Clock:
    """A clock that goes on when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(throttle, "time", clock)
    return clock


def test_many_small_ones_take_as_long_as_a_large_one(clock: Clock) -> None:
    slow = Throttle(100)
    for _ in range(50):
        slow.took(10)
    assert clock.now == pytest.approx(1005)


def test_time_that_nobody_used_is_not_made_up_for(clock: Clock) -> None:
    slow = Throttle(100)
    slow.took(100)
    clock.sleep(60)
    slow.took(100)
    assert clock.now == pytest.approx(1062)


def test_no_limit(clock: Clock) -> None:
    Throttle(None).took(1 << 40)
    assert clock.now == 1000
