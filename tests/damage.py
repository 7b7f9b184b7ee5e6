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
