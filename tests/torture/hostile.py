"""A repository that is trusted and means no good, beside the mirror of these tests."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.integration import repository
from tests.integration.conftest import Request

from .mirror import Mirror


def request(
    mirror: Mirror, output: Path, directory: Path, debs: Sequence[Path], wishes: Sequence[str], **changes: Any
) -> Request:
    """Return a request for *wishes*, from the mirror and a signed repository below *directory* that holds *debs*."""
    release = repository.release(directory, "hostile", *debs)
    mirror.signer.sign(release)
    asked = mirror.request(output, packages=list(wishes), **changes)
    place = {"name": "hostile", "uri": directory.as_uri(), "suite": "hostile", "section": "main", "type": "deb"}
    asked["repos"].append({**place, "key": mirror.signer.key})
    return asked
