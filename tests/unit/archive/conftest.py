"""Repositories made of a few lines."""

from __future__ import annotations

import hashlib
from typing import Callable

import pytest

from fuel_image.archive.packages import Index
from fuel_image.archive.repositories import OpenRepository, Repositories
from fuel_image.request import Repository

Maker = Callable[..., Repositories]


def stanza(name: str, version: str = "1", **fields: str) -> str:
    given = {
        "Architecture": "amd64",
        "Filename": f"pool/{name}_{version}.deb",
        "Size": "10",
        "SHA256": hashlib.sha256(f"{name} {version}".encode()).hexdigest(),
        **{key.replace("_", "-"): value for key, value in fields.items()},
    }
    return (
        "\n".join([f"Package: {name}", f"Version: {version}", *(f"{key}: {value}" for key, value in given.items())])
        + "\n"
    )


def index(place: int, *stanzas: str) -> Index:
    content = "\n".join(stanzas).encode()
    return Index(lambda: content, hashlib.sha256(content).hexdigest(), place, "main/binary-amd64/")


@pytest.fixture
def opened() -> Maker:
    """Return a maker of repositories: each argument is a list of stanzas, *priorities* are their pins."""

    def make(*stanzas: list[str], priorities: list[int | None] | None = None) -> Repositories:
        pins = priorities or [None] * len(stanzas)
        return Repositories(
            [
                OpenRepository(
                    Repository(f"repo {place}", (f"http://{place}.example.org",), "noble", ("main",), pin),
                    place,
                    None,
                    (index(place, *texts),),
                )
                for place, (texts, pin) in enumerate(zip(stanzas, pins))
            ],
            "amd64",
        )

    return make
