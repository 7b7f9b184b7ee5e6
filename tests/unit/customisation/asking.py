"""Requests that ask for more than packages."""

from __future__ import annotations

from typing import Any

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBLdJ1jVzoWGzGQ2n3kHzlCYMuH2CqSUnJ0f0K4QcXyz deploy@example.org"


def request(**custom: Any) -> dict[str, Any]:
    image = {"uri": "http://127.0.0.1/node.img.gz", "format": "ext4", "container": "gzip"}
    repository = {"uri": "http://mirror.example.org/debian", "suite": "bookworm", "section": "main"}
    whole = {"image_data": {"/": image}, "output": "/srv/images", "repos": [repository], "codename": "bookworm"}
    return {**whole, **custom}
