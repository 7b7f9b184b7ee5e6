"""The names of published files.

Owns which name the metadata has, and that no two files of a set have the same. It must not know what is in the files.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from fuel_image.document import child
from fuel_image.errors import Problem
from fuel_image.outputs.exports import EXPORTS, wants_checksums
from fuel_image.uris import file_named

CHECKSUM_ENDING = ".sha256"
SUMS, SIGNATURE = "SHA256SUMS", "SHA256SUMS.gpg"
"""As Ubuntu calls the two; the signature is armored there too."""


def metadata_filename(first: str) -> str:
    """Return the metadata file's name, for that of the root image (fuel_agent.drivers.nailgun does the same).

    Where there is no root image it is named for the first file besides.
    """
    return first.split(".")[0] + ".yaml"


def problems(document: Mapping[str, Any]) -> Iterator[Problem]:
    """Find URIs that name no file, and files that have the same name."""
    wanted = wants_checksums(document)
    owners = {SUMS: "the checksums", SIGNATURE: "their signature"} if wanted else {}
    first = True
    for place, what, uri in _published(document):
        name = file_named(uri)
        if name is None:
            yield Problem(f"{place}.uri", "the last part of the URI's path must name a file")
            continue
        names = {name: what}
        if first or what == "/":
            names[metadata_filename(name)] = f"the metadata of {what}"
        if wanted:
            names[name + CHECKSUM_ENDING] = f"the checksum of {what}"
        first = False
        for one, owner in names.items():
            if one in owners:
                yield Problem(f"{place}.uri", f"{one} is also the file of {owners[one]}")
            owners[one] = owner


def _published(document: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Give the path of every file in the document, what it is, and its URI; first the one that names the metadata."""
    images = document.get("image_data", {})
    for mount in sorted(images, key=lambda mount: (mount != "/", mount)):
        yield child("$.image_data", mount), mount, images[mount]["uri"]
    for number, disk in enumerate(document.get("disks", ())):
        yield f"$.disks[{number}]", f"disks[{number}]", disk["uri"]
    for kind in EXPORTS:
        if kind in document:
            yield f"$.{kind}", kind, document[kind]["uri"]
