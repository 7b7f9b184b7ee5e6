"""Sizes as people write them: of a thing, or of the room that it leaves."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

_SHARE = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,9})?)\s*%")
_DEFAULT_RESERVE_BYTES = 64 << 20
_LARGEST_RESERVE = (8 << 40, 100.0)  # bytes, share of the content: what is larger no node has room for
_SIZE = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,9})?)\s*(B|KiB|MiB|GiB|TiB)?")
_UNITS = {None: 1, "B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}


def size_bytes(written: Any) -> int | None:
    """Return the bytes of a size such as ``64MiB`` or a plain number; None if it is none."""
    match = _SIZE.fullmatch(str(written).strip())
    return None if match is None else int(float(match[1]) * _UNITS[match[2]])


@dataclass(frozen=True)
class Reserve:
    """Free space to leave in a file system: *size_bytes* plus *share* (0.05 is five percent) of the content."""

    size_bytes: int = _DEFAULT_RESERVE_BYTES
    share: float = 0.0

    def beside(self, content_bytes: int) -> int:
        """Return how many bytes are to be left beside so many of content."""
        return self.size_bytes + int(self.share * content_bytes)


DEFAULT_RESERVE = Reserve()


def reserve(written: Any) -> Reserve | None:
    """Return the reserve that a size or a percentage stands for; None if it is none."""
    share = _SHARE.fullmatch(str(written).strip())
    made = Reserve(size_bytes(written) or 0) if share is None else Reserve(0, float(share[1]) / 100)
    largest_bytes, largest_share = _LARGEST_RESERVE
    known = share is not None or size_bytes(written) is not None
    return made if known and made.size_bytes <= largest_bytes and made.share <= largest_share else None


def megabytes(size_bytes: int) -> str:
    """Return a size for people to compare, in millions of bytes."""
    return f"{size_bytes / 1_000_000:,.1f} MB"
