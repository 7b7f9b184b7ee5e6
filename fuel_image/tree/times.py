"""The times of a tree's files.

Owns the rule which time stamps a build may leave: those that packages ship stay, those that the build made are replaced
(reproducible-builds.org/specs/source-date-epoch). All are whole seconds, as in packages: mke2fs keeps no parts of one.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass

from fuel_image.errors import TreeError
from fuel_image.tree.root import Tree

_SHOWN = 60
_LONGEST_BYTES = 700
"""How long the path of a directory may be: with a name below it, less than the 1020 of which mke2fs -d (1.47.0 of it)
writes past the end of its memory where that takes no more than was asked for, as with 2040 on 64-bit hosts.
"""
_NANOSECONDS = 1_000_000_000
_DAY_SECONDS = 86_400
_SHADOW = "/etc/shadow"
_DAY_FIELD = 2
_DAY = re.compile("[0-9]{1,9}")


@dataclass(frozen=True)
class Times:
    """In seconds since the epoch: what is *newer_than* this was made by a build, and gets the time *instead*.

    *newer_than* is the date of the newest Release, since nothing that a repository ships is newer. *instead* is that of
    the base repository's, which is seldom made anew: a layer does not depend on the day on which it was made.
    """

    newer_than: int
    instead: int


def settle(tree: Tree, times: Times) -> None:
    """Replace every time stamp that a build made, and the parts of a second of the others. Raises TreeError."""
    _settle_passwords(tree, times)
    for path in _changed(tree):
        with contextlib.suppress(FileNotFoundError):  # an overlay notes in its upper directory what is removed
            seconds, rest = divmod(os.lstat(path).st_mtime_ns, _NANOSECONDS)
            made = (seconds, rest) > (times.newer_than, 0)
            if made or rest:
                stamp = times.instead if made else seconds
                os.utime(path, (stamp, stamp), follow_symlinks=False)


def _changed(tree: Tree) -> Iterator[str]:
    """Give the paths, in the tree, of all that differs from what it started as."""
    waiting = ["."]
    while waiting:
        directory = waiting.pop()
        if len(os.fsencode(directory)) > _LONGEST_BYTES:
            message = f"settling the times of files: {directory[1:_SHOWN]}... is longer than {_LONGEST_BYTES} bytes"
            raise TreeError(message, advice="a package made it so deep")
        yield os.path.join(tree.path, directory)
        with os.scandir(os.path.join(tree.changed, directory)) as entries:
            for entry in entries:
                path = os.path.join(directory, entry.name)
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(path)
                else:
                    yield os.path.join(tree.path, path)


def _settle_passwords(tree: Tree, times: Times) -> None:
    """Replace the day of the last change (shadow(5)) likewise: only newer programs heed SOURCE_DATE_EPOCH there."""
    if not tree.is_file(_SHADOW):
        return
    text = tree.read(_SHADOW)
    lines = [line.split(":") for line in text.split("\n")]
    for fields in lines:
        day = fields[_DAY_FIELD] if len(fields) > _DAY_FIELD else ""
        if _DAY.fullmatch(day) and int(day) > times.newer_than // _DAY_SECONDS:
            fields[_DAY_FIELD] = str(times.instead // _DAY_SECONDS)
    settled = "\n".join(":".join(fields) for fields in lines)
    if settled != text:
        tree.write(_SHADOW, settled)
