"""The times of a tree's files.

Owns the rule which time stamps a build may leave: those that packages ship stay, those that the build made are replaced
(reproducible-builds.org/specs/source-date-epoch). All are whole seconds, as in packages: mke2fs keeps no parts of one.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass

from fuel_image.tree.root import Tree

_NANOSECONDS = 1_000_000_000


@dataclass(frozen=True)
class Times:
    """In seconds since the epoch: what is *newer_than* this was made by a build, and gets the time *instead*.

    *newer_than* is the date of the newest Release, since nothing that a repository ships is newer. *instead* is that of
    the base repository's, which is seldom made anew: a layer does not depend on the day on which it was made.
    """

    newer_than: int
    instead: int


def settle(tree: Tree, times: Times) -> None:
    """Replace every time stamp that a build made, and the parts of a second of the others."""
    for directory, names, files in os.walk(tree.changed, topdown=False):
        inside = os.path.join(tree.path, os.path.relpath(directory, tree.changed))
        for path in [*(os.path.join(inside, name) for name in (*files, *names)), inside]:
            with contextlib.suppress(FileNotFoundError):  # an overlay notes in its upper directory what is removed
                seconds, rest = divmod(os.lstat(path).st_mtime_ns, _NANOSECONDS)
                made = (seconds, rest) > (times.newer_than, 0)
                if made or rest:
                    stamp = times.instead if made else seconds
                    os.utime(path, (stamp, stamp), follow_symlinks=False)
