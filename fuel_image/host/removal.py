"""The removal of directories that strangers have filled.

Owns how one goes with all that it holds: no link in it is followed, and it may be as deep as it likes, which Python's
own removal, a function that calls itself for each directory in another, may not. It must not know what is removed.
"""

from __future__ import annotations

import os

_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def remove_directory(name: str, parent: int | None = None) -> None:
    """Remove the directory *name* of the open directory *parent*, or of that path; nobody else may change it meanwhile.

    One directory is open at a time, and the way up is by its ``..``: paths may be longer than the kernel takes, and
    directories deeper than a process may have files open.
    """
    current = os.open(name, _FLAGS, dir_fd=parent)
    try:
        way = [_emptied(current)]
        while way:
            if way[-1]:
                current = _moved(current, way[-1][-1])
                way.append(_emptied(current))
                continue
            way.pop()
            if way:
                current = _moved(current, "..")
                os.rmdir(way[-1].pop(), dir_fd=current)
    finally:
        os.close(current)
    os.rmdir(name, dir_fd=parent)


def _moved(directory: int, name: str) -> int:
    """Open the directory *name* of an open one, and close that."""
    other = os.open(name, _FLAGS, dir_fd=directory)
    os.close(directory)
    return other


def _emptied(directory: int) -> list[str]:
    """Remove all from an open directory but the directories in it, and return their names."""
    names = []
    with os.scandir(directory) as entries:
        for entry in list(entries):
            if entry.is_dir(follow_symlinks=False):
                names.append(entry.name)
            else:
                os.unlink(entry.name, dir_fd=directory)
    return names
