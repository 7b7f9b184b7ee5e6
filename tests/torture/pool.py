"""What is in a pool, as sha256sum sees it."""

from __future__ import annotations

import subprocess
from pathlib import Path


def whole(pool: Path) -> int:
    """Assert that every file of a pool has the digest that is its name; return how many there are."""
    members = [path for path in pool.glob("??/*") if path.suffix != ".part"]
    lines = "".join(f"{path.name}  {path}\n" for path in members)
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet"], input=lines, text=True, check=bool(members))
    return len(members)
