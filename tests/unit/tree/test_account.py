"""What is understood of dpkg's lines."""

from __future__ import annotations

import pytest

from fuel_image.errors import CommandError
from fuel_image.tree.account import Account

LIMIT_SECONDS = 10


class Clock:
    def __init__(self) -> None:
        self.time = 0.0

    def __call__(self) -> float:
        return self.time


def failed(code: int | None, running: tuple[str, ...] = ()) -> CommandError:
    return CommandError("?", exit_code_of_command=code, advice="the advice", tail=["the tail"], running=running)


@pytest.mark.parametrize(
    ("lines", "code", "message"),
    [
        (["Setting up hello (2.10-3) ...", "oops"], 1, "trying: dpkg ended with exit code 1 at hello 2.10-3"),
        (["Setting up hello (2.10-3) ..."], 137, "trying: dpkg was killed by SIGKILL (out of memory?) at hello 2.10-3"),
        (["Selecting previously unselected package hello."], 255, "trying: dpkg ended with exit code 255 at hello"),
        ([], -15, "trying: dpkg was killed by SIGTERM"),
        (
            [
                "dpkg: error processing package hello (--configure):",
                "Setting up other (1) ...",
                " installed hello package post-installation script subprocess returned error exit status 7",
            ],
            100,
            "trying: hello: installed hello package post-installation script subprocess returned error exit status 7",
        ),
        (
            [
                "dpkg: error processing package needs (--configure):",
                " dependency problems - leaving unconfigured",
                "dpkg: error processing archive /run/apt/archives/hello_1_all.deb (--unpack):",
                " trying to overwrite '/etc/motd', which is also in package other 1",
            ],
            100,
            "trying: hello_1_all.deb: trying to overwrite '/etc/motd', which is also in package other 1",
        ),
    ],
)
def test_a_failure_is_told_with_package_and_cause(lines: list[str], code: int, message: str) -> None:
    account = Account(LIMIT_SECONDS)
    for line in lines:
        account.heed(line)
    error = account.worded(failed(code), "trying", "dpkg")
    assert error.message == message
    assert (error.advice, error.tail) == ("the advice", ("the tail",))


def test_what_takes_too_long_is_told_with_what_was_running() -> None:
    account = Account(LIMIT_SECONDS)
    account.heed("Setting up hello (2.10-3) ...")
    running = ("python -m fuel_image.tree.inside /tree dpkg", "dpkg --configure", "sleep 1000")
    error = account.worded(failed(None, running), "trying", "dpkg")
    assert error.message == (
        "trying: hello 2.10-3 took more than 10 seconds; running then: dpkg --configure, sleep 1000"
    )
    assert "script_limit" in error.advice
    assert error.exit_code_of_command is None


def test_every_package_has_its_time_once() -> None:
    clock = Clock()
    account = Account(LIMIT_SECONDS, packages=2, now=clock)  # each is unpacked and set up: four turns
    assert account.deadline() == 10
    for clock.time, line, deadline in (
        (1.0, "Selecting previously unselected package one.", 11),
        (2.0, "Unpacking one:amd64 (1) ...", 11),
        (3.0, "Setting up one:amd64 (1) ...", 13),
        (4.0, "some words of a script", 13),
        (5.0, "Setting up one (1) ...", 13),
        (6.0, "Processing triggers for other (1) ...", 13),
        (7.0, "Unpacking two (2) over (1) ...", 17),
        (8.0, "Setting up two (1) ...", 18),
        (9.0, "Setting up invented (1) ...", 18),
    ):
        account.heed(line)
        assert account.deadline() == deadline
