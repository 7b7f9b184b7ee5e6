"""Sizes as people write them."""

from __future__ import annotations

import re
from typing import Any

_SIZE = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,9})?)\s*(B|KiB|MiB|GiB|TiB)?")
_UNITS = {None: 1, "B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}


def size_bytes(written: Any) -> int | None:
    """Return the bytes of a size such as ``64MiB`` or a plain number; None if it is none."""
    match = _SIZE.fullmatch(str(written).strip())
    return None if match is None else int(float(match[1]) * _UNITS[match[2]])


def megabytes(size_bytes: int) -> str:
    """Return a size for people to compare, in millions of bytes."""
    return f"{size_bytes / 1_000_000:,.1f} MB"
