"""Records that a build keeps for later ones.

Owns their form: JSON below a line with its SHA-256, so that a record in which a single bit has changed is none,
whatever it would say. It must not know where they lie.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any


def written(value: object) -> bytes:
    """Return the record of a value of JSON's types."""
    text = json.dumps(value).encode()
    return hashlib.sha256(text).hexdigest().encode() + b"\n" + text


def read(content: bytes) -> Any:
    """Return the value of a record. Raises ValueError for one that is damaged."""
    digest, _, text = content.partition(b"\n")
    if hashlib.sha256(text).hexdigest().encode() != digest:
        raise ValueError("its digest does not fit")
    return json.loads(text)
