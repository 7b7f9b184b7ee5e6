"""A machine that is listened to, and one that has failed."""

from __future__ import annotations

import math
import socket
import time
from concurrent.futures import Future
from typing import cast

import pytest

from fuel_image.errors import BuildError, CommandError
from fuel_image.machine import running
from fuel_image.machine.console import Console
from fuel_image.machine.monitor import Monitor


def test_why_the_emulator_failed_comes_before_that_it_is_gone() -> None:
    failed: Future[None] = Future()
    failed.set_exception(CommandError("it ended with exit code 1"))
    with pytest.raises(CommandError, match="exit code 1"), running._told(failed):
        raise BuildError("it is gone")


def test_that_it_is_gone_is_told_where_nothing_has_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "_END_SECONDS", 0.01)
    ended: Future[None] = Future()
    for _ in range(2):  # before it has ended, and after
        with pytest.raises(BuildError, match="it is gone"), running._told(ended):
            raise BuildError("it is gone")
        if not ended.done():
            ended.set_result(None)


def test_listening_ends_with_what_comes_first() -> None:
    ours, theirs = socket.socketpair()
    with ours:
        console = Console(lambda _: None)
        one = running.Running(console, cast(Monitor, None), ours)
        theirs.sendall(b"node-1 login: ")
        assert one.listen(lambda _: console.prompted, math.inf) == ""
        assert one.listen(lambda silent: silent > 0.01, math.inf) == ""
        assert one.listen(lambda _: False, time.monotonic()) == "it took too long"
        theirs.close()
        assert one.listen(lambda _: False, math.inf) == running.ENDED
