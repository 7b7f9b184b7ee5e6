"""A whole disk in a file, as a machine takes it.

Owns the recognition of what is in a file, whatever its name, and the unpacking of a container. A disk that is not whole
in its file is refused: it would lead the machine to other files of this host. It must not start anything.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from fuel_image.errors import BuildError
from fuel_image.host.command import run
from fuel_image.images.containers import CONTAINERS, UNPACKING_ERRORS
from fuel_image.images.formats import DISK_FORMATS
from fuel_image.machine.qemu import Drive
from fuel_image.progress import step

TOOLS = ("qemu-img",)
_MAGIC = {"gzip": b"\x1f\x8b", "zstd": b"\x28\xb5\x2f\xfd", "xz": b"\xfd7zXZ\0"}
_BOOT_SIGNATURE = b"\x55\xaa"
"""The end of a disk's first sector, on GPT and MBR alike."""
_SIGNATURE_PLACE = 510
_CHUNK_BYTES = 1 << 20
_ZEROS = bytes(_CHUNK_BYTES)
_ADVICE = "give the metadata, if it is a partition image"


def recognised(file: Path, directory: Path) -> Drive:
    """Return the disk in *file*, unpacked into *directory* if it is in a container. Raises BuildError."""
    container = _container(file)
    if container is None:
        return _drive(file, file.name)
    unpacked_file = directory / "unpacked"
    unpack(file, container, unpacked_file)
    return _drive(unpacked_file, file.name)


def unpack(file: Path, container: str, target: Path) -> None:
    """Write the content of a container to *target*; what is zeros becomes holes. Raises BuildError."""
    with step(f"Unpacking {file.name}") as shown, file.open("rb") as packed, target.open("wb") as raw:
        try:
            with CONTAINERS[container].reading(packed) as content:
                while chunk := content.read(_CHUNK_BYTES):
                    if chunk == _ZEROS[: len(chunk)]:
                        raw.seek(len(chunk), 1)
                    else:
                        raw.write(chunk)
                    shown.advance(len(chunk))
        except UNPACKING_ERRORS as error:
            raise BuildError(f"unpacking {file.name}: {str(error) or type(error).__name__}") from error
        raw.truncate(raw.tell())


def objection(found: Mapping[str, Any], file: Path) -> str:
    """Return why a machine should not have the disk that qemu-img has *found* in a file; nothing if it may."""
    if found["format"] not in DISK_FORMATS:
        return f"it is a disk in the format {found['format']}"
    others = sorted(set(_others(found, file)))
    return f"it is not whole: it needs {', '.join(others)}" if others else ""


def _others(found: Mapping[str, Any], file: Path) -> Iterator[str]:
    """Give the other files that a disk consists of."""
    own = found.get("format-specific", {}).get("data", {})
    for name in (found.get("backing-filename"), own.get("data-file")):
        if name is not None:
            yield str(name)
    yield from (str(one["filename"]) for one in own.get("extents", ()) if Path(one["filename"]) != file)


def _container(file: Path) -> str | None:
    with file.open("rb") as opened:
        head = opened.read(max(map(len, _MAGIC.values())))
    return next((name for name, magic in _MAGIC.items() if head.startswith(magic)), None)


def _drive(file: Path, name: str) -> Drive:
    doing = f"looking at {name}"
    said = run("qemu-img", "info", "--force-share", "--output=json", file, doing=doing, want_output=True).text
    found = json.loads(said)
    problem = objection(found, file)
    if not problem and found["format"] == "raw" and not _has_boot_sector(file):
        problem = "it is no whole disk"
    if problem:
        raise BuildError(f"{doing}: {problem}", advice=_ADVICE)
    return Drive(file, str(found["format"]))


def _has_boot_sector(file: Path) -> bool:
    with file.open("rb") as opened:
        opened.seek(_SIGNATURE_PLACE)
        return opened.read(len(_BOOT_SIGNATURE)) == _BOOT_SIGNATURE
