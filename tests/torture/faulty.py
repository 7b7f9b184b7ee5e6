"""fuel-image with a fault at one place: ``python -m tests.torture.faulty FAULT ARGUMENT...``.

Owns the places. Every system call by which our code changes the host is announced by Python itself (audit events, PEP
578), and so is every program that it starts; a place is such an event and the lines of fuel_image that cause it. What
is not announced, the writing into an open file, is tried with file systems that are full. FAULT is a JSON object:

``{"record": FILE}``
    write every place that is come by to FILE, in the order of their first time
``{"at": PLACE, "meet": DIRECTORY}``
    stop there, tell it by making the file *here* in DIRECTORY, go on when somebody has made the file *on*
``{"at": PLACE, "errno": NUMBER}``
    the system call fails with this number

The processes of the build are meant, not the programs that they start.
"""

from __future__ import annotations

import functools
import json
import os
import sys
import threading
import time
from pathlib import Path
from types import FrameType
from typing import Any, Callable

from fuel_image import cli
from fuel_image.host import kernel

_CHANGES = (
    *(f"os.{name}" for name in ("rename", "remove", "mkdir", "rmdir", "link", "symlink", "truncate")),
    *(f"os.{name}" for name in ("chmod", "chown", "utime", "setxattr", "fork")),
    *("shutil.rmtree", "tempfile.mkdtemp", "tempfile.mkstemp", "fcntl.flock", "fcntl.ioctl", "socket.connect"),
    *("kernel.mount", "kernel.umount", "kernel.unshare"),
)
_FIRST = os.getpid()
_LOOK_AGAIN_SECONDS = 0.01
_PATIENCE_SECONDS = 60
_OWN = os.sep + "fuel_image" + os.sep
_THROUGH = (
    "host/kernel.py",
    "host/command.py",
    "host/files.py",
    "host/mounts.py",
    "host/removal.py",
    "tree/chroot.py",
    "tree/root.py",
)
"""Modules through which others do something: the place is where these others are."""


class Faults:
    """The hook that looks for the place."""

    def __init__(self, fault: dict[str, Any]) -> None:
        self._fault = fault
        self._seen: set[str] = set()
        self._local = threading.local()

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if os.getpid() not in (1, _FIRST) or getattr(self._local, "busy", False):
            return
        if event not in _CHANGES and not (event == "open" and _writes(arguments)):
            return
        self._local.busy = True
        try:
            self._come_by(event)
        finally:
            self._local.busy = False

    def _come_by(self, event: str) -> None:
        place = _place(event, sys._getframe(2))
        if place is None or place in self._seen:
            return
        self._seen.add(place)
        if "record" in self._fault:
            with open(self._fault["record"], "a", encoding="utf-8") as file:
                file.write(f"{place}\n")
        elif place == self._fault["at"]:
            if "errno" in self._fault:
                raise OSError(self._fault["errno"], os.strerror(self._fault["errno"]), place)
            meet(Path(self._fault["meet"]))


def meet(directory: Path) -> None:
    """Tell that we are here, and wait until we may go on; not for ever, for a test that fails may have forgotten us."""
    (directory / "here").touch()
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not (directory / "on").exists():
        if time.monotonic() > deadline:
            os._exit(1)
        time.sleep(_LOOK_AGAIN_SECONDS)


def _writes(arguments: tuple[Any, ...]) -> bool:
    flags = arguments[2]
    return isinstance(flags, int) and bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC))


def _place(event: str, frame: FrameType | None) -> str | None:
    """Return the event with the lines of ours that caused it, up to the first that acts for itself."""
    lines: list[str] = []
    while frame is not None:
        path = frame.f_code.co_filename
        if _OWN in path:
            module = path.rpartition(_OWN)[2]
            lines.append(f"{module}:{frame.f_lineno}")
            if module not in _THROUGH:
                return f"{event} {' '.join(lines)}"
        frame = frame.f_back
    return None


def _announced(name: str) -> Callable[..., Any]:
    """Return a function of kernel.py that announces itself: Python does not see what goes through ctypes."""
    function = getattr(kernel, name)

    @functools.wraps(function)
    def announced(*arguments: Any, **named: Any) -> Any:
        sys.audit(f"kernel.{name}")
        return function(*arguments, **named)

    return announced


if __name__ == "__main__":
    for changing in ("mount", "umount", "unshare"):
        setattr(kernel, changing, _announced(changing))
    given = json.loads(sys.argv.pop(1))
    sys.addaudithook(Faults(given))
    raise SystemExit(cli.main())
