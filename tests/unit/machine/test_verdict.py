"""What is held against a machine, by what it said."""

from __future__ import annotations

from typing import Any

import pytest

from fuel_image.machine import verdict
from fuel_image.machine.console import Console

from .test_report import line

PROMPT = b"node login: \r\n"
FAILED = b"[FAILED] Failed to start a.service - A.\r\n"
CLOUD_INIT = b"[   9.1] cloud-init[400]: Cloud-init v. 26.2 running 'init'\r\n"


def heard(*said: bytes) -> Console:
    console = Console(lambda _: None)
    for one in said:
        console.feed(one)
    return console


def reported(**changes: Any) -> bytes:
    return line(**changes).encode() + b"\r\n"


@pytest.mark.parametrize(
    ("said", "problems"),
    [
        ((PROMPT, reported()), ()),
        ((FAILED, PROMPT, reported()), ()),  # it was started again: the machine itself knows best
        ((PROMPT,), ()),
        ((reported(),), ("it came to no login prompt",)),
        ((FAILED, PROMPT), ("Failed to start a.service - A.",)),
        ((CLOUD_INIT, PROMPT), ("cloud-init did not finish",)),
        ((PROMPT, reported(state="degraded", failed=["a.service", "b"])), ("units failed: a.service, b",)),
        ((PROMPT, reported(state="maintenance")), ("the system is maintenance",)),
        ((PROMPT, reported(cloud_init="error", errors=["x"])), ("cloud-init ended as error (x)",)),
        ((PROMPT, reported(errors=["x"])), ("cloud-init ended as done (x)",)),
        ((PROMPT, reported(cloud_init="")), ("cloud-init ended as nothing",)),
        ((b"(initramfs) ",), ("it came to no login prompt", "it stopped at: (initramfs)")),
    ],
)
def test_problems(said: tuple[bytes, ...], problems: tuple[str, ...]) -> None:
    assert verdict.problems(heard(*said), "", cloud_init=False) == problems


def test_cloud_init_that_is_known_must_finish() -> None:
    assert verdict.problems(heard(PROMPT), "", cloud_init=True) == ("cloud-init did not finish",)


def test_why_nobody_looked_any_longer() -> None:
    found = verdict.problems(heard(PROMPT), "it took too long", cloud_init=True)
    assert found == ("it took too long", "cloud-init did not finish")


@pytest.mark.parametrize(
    ("said", "silent_seconds", "cloud_init", "known"),
    [
        ((), 1000, False, False),
        ((PROMPT,), 5, False, False),
        ((PROMPT,), 10, False, True),
        ((PROMPT,), 1000, True, False),
        ((CLOUD_INIT, PROMPT), 1000, False, False),
        ((PROMPT, reported()), 0, True, True),
        ((reported(),), 1000, True, False),
        ((b"Kernel panic - not syncing",), 0, True, False),
        ((b"Kernel panic - not syncing: x\r\n",), 2, True, True),
    ],
)
def test_when_all_is_known(said: tuple[bytes, ...], silent_seconds: float, cloud_init: bool, known: bool) -> None:
    assert verdict.is_known(heard(*said), silent_seconds, cloud_init=cloud_init) is known


def test_what_is_right_says_whether_cloud_init_was_seen() -> None:
    assert "cloud-init is done" in verdict.merits(heard(PROMPT, reported()))
    assert "nothing is seen of cloud-init" in verdict.merits(heard(PROMPT))
