"""Unit tests start no program and reach no network: whoever tries fails loudly."""

from __future__ import annotations

import fcntl
import os
import socket
from typing import Any, Callable

import pytest

AfterNextLock = Callable[[Callable[[], object]], None]


class Forbidden(BaseException):
    """Not an Exception, so that no handler in the code under test can swallow it."""


@pytest.fixture(autouse=True)
def no_commands_and_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*arguments: Any, **_: Any) -> None:
        raise Forbidden(f"a unit test tried to reach outside: {arguments}")

    monkeypatch.setattr(os, "fork", forbidden)
    monkeypatch.setattr(os, "posix_spawn", forbidden)
    monkeypatch.setattr(socket.socket, "connect", forbidden)


@pytest.fixture
def after_next_lock(monkeypatch: pytest.MonkeyPatch) -> AfterNextLock:
    """Return a function that has something happen between the next taking of a lock and what its taker does then."""

    def arrange(happens: Callable[[], object]) -> None:
        flock = fcntl.flock

        def lock(descriptor: int, operation: int) -> None:
            monkeypatch.setattr(fcntl, "flock", flock)
            flock(descriptor, operation)
            happens()

        monkeypatch.setattr(fcntl, "flock", lock)

    return arrange
