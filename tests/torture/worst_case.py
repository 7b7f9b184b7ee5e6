"""One of the worst that one can be given to read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable

DIGEST = "5f7ee1f6ac3d5ff0c3bcd0e4e6c1a2c3" * 2
STANZA = f"Package: a\nVersion: 1\nArchitecture: all\nFilename: a.deb\nSize: 1\nSHA256: {DIGEST}\n"
UNDERSTOOD = "understood"


@dataclass(frozen=True)
class Worst:
    """What is read, what then must be said, and in how much memory, in MiB."""

    read: Callable[[], Any]
    says: str = UNDERSTOOD
    most_mib: int = 512
