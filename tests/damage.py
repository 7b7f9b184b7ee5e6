"""What happens to files on a disk and on the way."""

from __future__ import annotations

import os
from pathlib import Path


def flipped(content: bytes, place: int, bits: int = 0x55) -> bytes:
    """Return *content* with some bits of the byte at *place* the other way."""
    return content[:place] + bytes([content[place] ^ bits]) + content[place + 1 :]


def flip(path: Path) -> None:
    """Change a byte in the middle of a file, which keeps its size."""
    with path.open("r+b") as file:
        place = file.seek(path.stat().st_size // 2)
        changed = flipped(file.read(1), 0)
        file.seek(place)
        file.write(changed)


def truncate(path: Path) -> None:
    """Take the last byte of a file away."""
    os.truncate(path, path.stat().st_size - 1)


def deep(top: Path, levels: int) -> None:
    """Make directories in one another, which takes other means than paths; each has a file and a brother."""
    top.mkdir()
    directory = os.open(top, os.O_RDONLY)
    for _ in range(levels):
        os.mkdir("d", dir_fd=directory)
        os.mkdir("e", dir_fd=directory)
        os.close(os.open("f", os.O_CREAT | os.O_WRONLY, dir_fd=directory))
        below = os.open("d", os.O_RDONLY, dir_fd=directory)
        os.close(directory)
        directory = below
    os.close(directory)
