"""What others on this host can see of this process.

Owns the two ways in which the kernel would show what a request holds: the arguments of a process, which every user can
read, and the core file of one that dies. Its environment and its memory are for root alone anyway. It must not know
which words are secret.
"""

from __future__ import annotations

import ctypes
import logging
import os
import resource
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Callable

from fuel_image.host import kernel

LOG = logging.getLogger(__name__)

_STAT = Path("/proc/self/stat")
_ARG_START, _ARG_END = 45, 46
"""Where proc_pid_stat(5) tells the place of the arguments, counted from behind the name: its fields 48 and 49."""


def leave_no_core() -> None:
    """Keep the kernel from writing the memory of this process to a core file, and that of all that it starts.

    The limit is not heeded where cores go to a program (core(5)): that one gets none of this process and its forks.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    kernel.hide_from_others()


def rewrite_arguments(shown: Callable[[str], str]) -> None:
    """Replace what the kernel shows of our arguments by what *shown* makes of each; ``sys.argv`` stays as it is.

    A process cannot have been started without them; this makes them last for a moment, and not for a build.
    """
    ours = [os.fsencode(one) for one in sys.argv[1:]]
    start, end = _place()
    area = ctypes.string_at(start, end - start)
    rewritten = _rewritten(area, ours, [os.fsencode(shown(one)) for one in sys.argv[1:]])
    if rewritten is None:
        LOG.debug("the arguments are not where the kernel says: they stay as they are")
    else:
        ctypes.memmove(start, rewritten, len(area))


def _place() -> tuple[int, int]:
    fields = _STAT.read_text(errors="replace").rpartition(")")[2].split()
    return int(fields[_ARG_START]), int(fields[_ARG_END])


def _rewritten(area: bytes, ours: Sequence[bytes], shown: Sequence[bytes]) -> bytes | None:
    """Return the area of the arguments with *shown* instead of *ours*, its last; None if it does not end with them.

    What becomes longer takes room that the others left, or is cut.
    """
    found = area.split(b"\0")[:-1]
    before = found[: len(found) - len(ours)]
    if not ours or found[len(before) :] != list(ours):
        return None
    text = b"\0".join([*before, *shown])[: len(area) - 1]
    return text.ljust(len(area), b"\0")
