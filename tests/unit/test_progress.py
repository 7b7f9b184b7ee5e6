"""The steps of a build, and which of them are its own."""

from __future__ import annotations

import logging
import threading
from typing import Callable

import pytest

from fuel_image import progress
from fuel_image.progress import finished_steps, step

PATIENCE_SECONDS = 10


@pytest.fixture(autouse=True)
def nothing_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_record", progress._Record())


def in_thread(body: Callable[[], None]) -> None:
    thread = threading.Thread(target=body)
    thread.start()
    thread.join(PATIENCE_SECONDS)
    assert not thread.is_alive()


def titles() -> list[str]:
    return [one.title for one in finished_steps()]


def test_steps_within_steps() -> None:
    with step("one") as one:
        with step("two") as two, step("three") as three:
            pass
        with step("four") as four:
            pass
    with step("five") as five:
        pass
    assert [one.depth, two.depth, three.depth, four.depth, five.depth] == [0, 1, 2, 1, 0]
    assert titles() == ["one", "five"]


def test_what_runs_in_another_thread_is_beside_and_never_outermost() -> None:
    depths = []

    def body() -> None:
        with step("beside") as beside, step("beside, within") as within:
            depths.extend([beside.depth, within.depth])

    with step("main"), step("main, within"):
        in_thread(body)
    in_thread(body)
    assert depths == [1, 2, 1, 2]
    assert titles() == ["main"]


def test_a_step_of_the_main_thread_is_outermost_whatever_began_first_beside_it() -> None:
    begun, end = threading.Event(), threading.Event()

    def body() -> None:
        with step("beside"):
            begun.set()
            assert end.wait(PATIENCE_SECONDS)

    thread = threading.Thread(target=body)
    thread.start()
    assert begun.wait(PATIENCE_SECONDS)
    with step("main") as main:
        end.set()
        thread.join(PATIENCE_SECONDS)
        with step("main, within") as within:
            pass
    assert [main.depth, within.depth] == [0, 1]
    assert titles() == ["main"]


def test_a_step_that_fails_is_not_finished_and_not_told(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO), pytest.raises(RuntimeError), step("good"):
        with step("within"):
            pass
        raise RuntimeError
    assert titles() == []
    assert [record.getMessage().partition(":")[0] for record in caplog.records] == ["  within"]
    assert progress._record.open == []
