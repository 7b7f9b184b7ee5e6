"""The monitor's side of a conversation."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from fuel_image.errors import BuildError
from fuel_image.machine.monitor import Monitor

GREETING = b'{"QMP": {"version": {}}}\n'
DONE = b'{"return": {}}\n'


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def test_a_screen_is_asked_for(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    theirs.sendall(GREETING + DONE + b'{"event": "RESUME"}\n' + DONE)
    Monitor(ours).write_screen(Path("/srv/machine/screen.png"))
    asked = [json.loads(line) for line in theirs.recv(4096).splitlines()]
    assert asked == [
        {"execute": "qmp_capabilities", "arguments": {}},
        {"execute": "screendump", "arguments": {"filename": "/srv/machine/screen.png", "format": "png"}},
    ]


def test_a_machine_that_waits_is_let_go(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    theirs.sendall(GREETING + DONE + b'{"event": "RESUME"}\n' + DONE)
    Monitor(ours).go()
    assert json.loads(theirs.recv(4096).splitlines()[-1]) == {"execute": "cont", "arguments": {}}


def test_a_refusal_is_told(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    theirs.sendall(GREETING + DONE + b'{"error": {"class": "GenericError", "desc": "no screen"}}\n')
    with pytest.raises(BuildError, match="asking the machine for screendump: no screen"):
        Monitor(ours).write_screen(Path("/srv/machine/screen.png"))


def test_a_machine_that_is_gone(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    theirs.sendall(GREETING + DONE)
    monitor = Monitor(ours)
    theirs.close()
    monitor.quit()
    with pytest.raises(BuildError, match="asking the machine"):
        monitor.write_screen(Path("/srv/machine/screen.png"))
