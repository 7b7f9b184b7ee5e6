"""A machine that runs.

Owns the start of the emulator, its sockets, and its end: by its monitor or with the block. It must not judge what the
machine does.
"""

from __future__ import annotations

import os
import select
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, TimeoutError
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from fuel_image.errors import BuildError
from fuel_image.host import command
from fuel_image.host.command import run
from fuel_image.host.tasks import together
from fuel_image.machine import qemu
from fuel_image.machine.console import Console
from fuel_image.machine.monitor import Monitor
from fuel_image.machine.qemu import Machine

_START_SECONDS = 60.0
_END_SECONDS = 2.0
_LOOK_AGAIN_SECONDS = 0.1
_LISTEN_SECONDS = 1.0
_CHUNK_BYTES = 1 << 16
ENDED = "it ended by itself"


@dataclass(frozen=True)
class Running:
    """A machine under way, with its console and its monitor."""

    console: Console
    monitor: Monitor
    connection: socket.socket

    def listen(self, enough: Callable[[float], bool], deadline: float) -> str:
        """Take in the console until *enough*, which is told how many seconds it has been silent; return nothing then.

        Return why, if it is given up before: the machine has ended, or by time.monotonic() it is *deadline*.
        """
        heard = time.monotonic()
        while not enough(time.monotonic() - heard):
            left = deadline - time.monotonic()
            if left <= 0:
                return "it took too long"
            if select.select([self.connection], [], [], min(left, _LISTEN_SECONDS))[0]:
                chunk = self.connection.recv(_CHUNK_BYTES)
                if not chunk:
                    return ENDED
                self.console.feed(chunk)
                heard = time.monotonic()
        return ""


@contextmanager
def started(machine: Machine, directory: Path, show: Callable[[str], object]) -> Iterator[Running]:
    """Give the running machine for the length of the block. Raises CommandError when the emulator fails."""
    opened = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        # A socket's path has up to 107 bytes (unix(7)), and a work directory's may be longer.
        place = f"/proc/{os.getpid()}/fd/{opened}"
        console, monitor = f"{place}/console", f"{place}/monitor"
        arguments = (*qemu.arguments(machine), *qemu.watched(console, monitor))
        with together(1, command.end_running) as tasks:
            running = tasks.start(_run, arguments, directory)
            with _told(running), _connected(console, running) as heard, _connected(monitor, running) as asked:
                one = Running(Console(show), Monitor(asked), heard)
                one.monitor.go()
                try:
                    yield one
                finally:
                    one.console.finish()
                one.monitor.quit()
    finally:
        os.close(opened)


def environment(directory: Path) -> dict[str, str]:
    """Return what the emulator must be told: where it may keep what the machine writes."""
    return {"TMPDIR": os.fspath(directory)}


def _run(arguments: tuple[str, ...], directory: Path) -> None:
    run(qemu.PROGRAM, *arguments, doing="running the machine", env=environment(directory))


@contextmanager
def _told(running: Future[None]) -> Iterator[None]:
    """Raise, instead of that nothing can be asked of it any more, why the emulator has failed, if it has."""
    try:
        yield
    except BuildError:
        with suppress(TimeoutError):
            running.result(_END_SECONDS)
        raise


@contextmanager
def _connected(path: str, running: Future[None]) -> Iterator[socket.socket]:
    """Give a connection to a socket that the emulator makes when it starts."""
    deadline = time.monotonic() + _START_SECONDS
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        while True:
            try:
                connection.connect(path)
                break
            except (FileNotFoundError, ConnectionRefusedError):
                if running.done():
                    running.result()
                if running.done() or time.monotonic() > deadline:
                    raise BuildError("starting the machine: it cannot be reached") from None
                time.sleep(_LOOK_AGAIN_SECONDS)
        yield connection
