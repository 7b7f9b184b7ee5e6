"""What reading may do: end, with a value or with one clear error, and touch nothing.

Owns the watch over the code under test. An audit hook, which nobody can take out again, sees every opening for writing,
every change to a directory, every program and every connection.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from types import FrameType
from typing import Any

from fuel_image.errors import FuelImageError

LONGEST_SECONDS = 20
"""No text of these sizes takes a second: this is a bound against hanging."""
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_EVENTS = frozenset(
    (
        *("os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.link", "os.symlink", "os.truncate", "os.mknod"),
        *("os.chmod", "os.chown", "os.utime", "os.setxattr", "os.removexattr", "os.chdir", "os.kill", "os.putenv"),
        *("os.system", "os.exec", "os.posix_spawn", "os.fork", "os.forkpty", "subprocess.Popen"),
        *("shutil.rmtree", "shutil.move", "shutil.copyfile", "tempfile.mkstemp", "tempfile.mkdtemp"),
        *("socket.connect", "socket.bind"),
    )
)
_CONNECTING = frozenset(("socket.connect",))
_watched: frozenset[str] = frozenset()


class Harm(BaseException):
    """The code under test did what reading must not do; no Exception, so that it cannot swallow it."""


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if not _watched:
        return
    if event in _watched or (event == "open" and isinstance(arguments[2], int) and arguments[2] & _WRITING):
        raise Harm(f"{event}{arguments}")


sys.addaudithook(_hook)


def _too_long(_number: int, _frame: FrameType | None) -> None:
    raise Harm(f"it takes longer than {LONGEST_SECONDS} s")


@contextlib.contextmanager
def harmless(*allowed: type[BaseException], connecting: bool = False) -> Iterator[None]:
    """Let the block end by itself, with an error of ours that says something, or with one of *allowed*.

    Any other error, a write, a program and a hang are failures; so are connections, unless it is about *connecting*.
    """
    global _watched  # noqa: PLW0603  (the hook stays for good)
    previous = signal.signal(signal.SIGALRM, _too_long)
    signal.setitimer(signal.ITIMER_REAL, LONGEST_SECONDS)
    _watched = _EVENTS - _CONNECTING if connecting else _EVENTS
    try:
        yield
    except FuelImageError as error:
        assert error.message.strip(), "an error says what is wrong"
    except allowed:
        pass
    finally:
        _watched = frozenset()
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
