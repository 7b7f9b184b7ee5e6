"""The likeness of a finished file system to the view that it was made from.

Owns the full look at what is mounted: its inventory, and the content of every file, byte by byte. It runs as a program
of its own (``python -m``): a thread would hold up the compressor's, which runs meanwhile. It must not judge what it
finds.
"""

from __future__ import annotations

import os
import pickle
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

from fuel_image.images import contents

_CHUNK_BYTES = 1 << 20
_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def differing(found: contents.Inventory, mounted: str, view: str) -> Iterator[str]:
    """Give what is wrong with each regular file that is *mounted*, beside what has its name in *view*."""
    for path, entry in found.entries.items():
        if stat.S_ISREG(entry.mode):
            try:
                if not _same(os.path.join(mounted, path), os.path.join(view, path)):
                    yield f"{path} holds something else"
            except OSError as error:
                yield f"{path} cannot be compared: {error.strerror}"


def _same(one: str, other: str) -> bool:
    ours = os.open(one, _FLAGS)
    try:
        theirs = os.open(other, _FLAGS)
        try:
            return _same_content(ours, theirs, os.fstat(ours).st_size)
        finally:
            os.close(theirs)
    finally:
        os.close(ours)


def _same_content(one: int, other: int, size_bytes: int) -> bool:
    place = 0
    while place < size_bytes:
        if size_bytes > _CHUNK_BYTES:  # it may be one large hole
            place = min(contents.next_data(one, place, size_bytes), contents.next_data(other, place, size_bytes))
        count = min(_CHUNK_BYTES, size_bytes - place)
        if os.pread(one, count, place) != os.pread(other, count, place):
            return False
        place += count
    return True


def main(arguments: list[str]) -> int:
    """Look at what is mounted at ``arguments[0]`` beside the view ``arguments[1]``; leave the answer in a file."""
    mounted, view, file = arguments
    found = contents.take(Path(mounted))
    # As bytes: whoever asks may be in another locale.
    entries = {os.fsencode(path): tuple(entry) for path, entry in found.entries.items()}
    links = [tuple(map(os.fsencode, paths)) for paths in found.links]
    with open(file, "wb") as out:
        pickle.dump((entries, links, list(differing(found, mounted, view))), out)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
