"""Unit tests start no program and reach no network: whoever tries fails loudly."""

from __future__ import annotations

import os
import socket
from typing import Any

import pytest


class Forbidden(BaseException):
    """Not an Exception, so that no handler in the code under test can swallow it."""


@pytest.fixture(autouse=True)
def no_commands_and_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*arguments: Any, **_: Any) -> None:
        raise Forbidden(f"a unit test tried to reach outside: {arguments}")

    monkeypatch.setattr(os, "fork", forbidden)
    monkeypatch.setattr(os, "posix_spawn", forbidden)
    monkeypatch.setattr(socket.socket, "connect", forbidden)
