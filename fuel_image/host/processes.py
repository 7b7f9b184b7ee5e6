"""Processes, as /proc tells of them (proc(5)).

Owns the reading of who has started whom. It must not start or end any.
"""

from __future__ import annotations

import collections
import contextlib
from collections.abc import Iterator
from pathlib import Path

_MOST = 20
_LONGEST = 100


def below(pid: int) -> list[str]:
    """Return the command lines of what a process has started, and so on: those who started others first."""
    children = collections.defaultdict(list)
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it ended while we looked
            # A name may hold blanks and brackets; what follows the last one is the state and the parent.
            parent = (process / "stat").read_text(errors="replace").rpartition(")")[2].split()[1]
            children[int(parent)].append(int(process.name))
    found = list(_descendants(pid, children))
    lines = [line for one in found[:_MOST] if (line := _command_line(one))]
    return lines if len(found) <= _MOST else [*lines, f"and {len(found) - _MOST} more"]


def _descendants(pid: int, children: dict[int, list[int]]) -> Iterator[int]:
    waiting = sorted(children[pid], reverse=True)
    while waiting:
        one = waiting.pop()
        yield one
        waiting += sorted(children[one], reverse=True)


def _command_line(pid: int) -> str:
    """Return the command line of a process, nothing if it has none or is gone."""
    try:
        with Path(f"/proc/{pid}/cmdline").open("rb") as file:
            line = file.read(_LONGEST)
    except OSError:
        return ""
    return line.rstrip(b"\0").replace(b"\0", b" ").decode("utf-8", "replace")
