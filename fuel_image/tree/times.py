"""The times of a tree's files.

Owns the rule which time stamps a build may leave: those that packages ship stay, those that the build made are replaced
(reproducible-builds.org/specs/source-date-epoch).
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass

from fuel_image.tree.root import Tree


@dataclass(frozen=True)
class Times:
    """In seconds since the epoch: what is *newer_than* this was made by a build, and gets the time *instead*.

    *newer_than* is the date of the newest Release, since nothing that a repository ships is newer. *instead* is that of
    the base repository's, which is seldom made anew: a layer does not depend on the day on which it was made.
    """

    newer_than: int
    instead: int


def settle(tree: Tree, times: Times) -> None:
    """Replace every time stamp that a build made."""
    stamps = (times.instead, times.instead)
    for directory, names, files in os.walk(tree.changed, topdown=False):
        inside = os.path.join(tree.path, os.path.relpath(directory, tree.changed))
        for path in [*(os.path.join(inside, name) for name in (*files, *names)), inside]:
            with contextlib.suppress(FileNotFoundError):  # an overlay notes in its upper directory what is removed
                if os.lstat(path).st_mtime > times.newer_than:
                    os.utime(path, stamps, follow_symlinks=False)
