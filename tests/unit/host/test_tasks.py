"""Tasks that run at once end together: all well, or none left running."""

from __future__ import annotations

import threading

import pytest

from fuel_image.host.tasks import together

PATIENCE_SECONDS = 10


def test_all_are_done_at_the_end() -> None:
    with together(2) as tasks:
        futures = [tasks.start(pow, 2, exponent) for exponent in range(5)]
    assert [future.result() for future in futures] == [1, 2, 4, 8, 16]


def test_one_that_fails_stops_the_others() -> None:
    stopped = threading.Event()
    begun: list[int] = []

    def fail() -> None:
        raise ValueError("the first")

    with pytest.raises(ValueError, match="the first"), together(2, stopped.set) as tasks:
        waiting = tasks.start(stopped.wait, PATIENCE_SECONDS)
        tasks.start(fail)
        tasks.start(stopped.wait, PATIENCE_SECONDS)
        never = [tasks.start(begun.append, number) for number in range(50)]
    assert waiting.result() is True, "it was told to stop"
    assert never[-1].cancelled()
    assert begun == []


def test_a_block_that_fails_stops_its_tasks() -> None:
    stopped = threading.Event()
    with pytest.raises(KeyboardInterrupt), together(1, stopped.set) as tasks:
        waiting = tasks.start(stopped.wait, PATIENCE_SECONDS)
        raise KeyboardInterrupt
    assert waiting.cancelled() or waiting.result() is True
