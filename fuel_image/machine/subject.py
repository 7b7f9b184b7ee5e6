"""What is to be booted: a file, or what a published set consists of.

Owns the choice of what a machine starts from, and the digests of the files that it must not change. It must not change
them either.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from fuel_image import record as records
from fuel_image.errors import BuildError, HostError
from fuel_image.images.containers import CONTAINERS
from fuel_image.machine import assembly, medium
from fuel_image.machine.assembly import Packed
from fuel_image.progress import step
from fuel_image.publish import DISK
from fuel_image.record import Record, Recorded, RecordError

_ARCHITECTURES = (None, "amd64", "i386")
"""What the machine runs; an older record does not say, and is of amd64."""
_CLOUD_INIT = "cloud-init"
_HEAD_BYTES = 4096
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class Subject:
    """A whole *disk* or, where there is none, the partition *images* of a set.

    *files* are all that are published together, with their SHA-256 where a record tells it. *has_cloud_init* is known
    from a record only.
    """

    name: str
    disk: Path | None
    images: tuple[Packed, ...]
    files: Mapping[Path, str | None]
    has_cloud_init: bool

    @property
    def tools(self) -> tuple[str, ...]:
        """The host programs that it takes to make it a machine's."""
        return medium.TOOLS if self.disk is not None else assembly.TOOLS


def examined(target: Path) -> Subject:
    """Return what a path names: metadata, which are text, or a disk. Raises BuildError, HostError, RecordError."""
    try:
        if _is_text(target):
            return _of_set(records.read(target), target)
    except OSError as error:
        raise BuildError(f"booting {target}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise RecordError(f"reading {target}: no record of a set: it is no text") from error
    except RecordError as error:
        raise RecordError(f"reading {target}: {error.message}") from error
    return Subject(target.name, target, (), {target: None}, has_cloud_init=False)


def digests(subject: Subject) -> dict[Path, str]:
    """Return the SHA-256 of each file. Raises BuildError when one cannot be read."""
    with step("Taking the digests"):
        return {file: _digest(file) for file in subject.files}


def altered(subject: Subject, before: Mapping[Path, str]) -> tuple[str, ...]:
    """Return which files are not as their record says."""
    other = (file for file, recorded in subject.files.items() if recorded not in (None, before[file]))
    return tuple(f"{file.name} has the SHA-256 {before[file]}, not {subject.files[file]}" for file in other)


def _is_text(file: Path) -> bool:
    with file.open("rb") as opened:
        head = opened.read(_HEAD_BYTES)
    return bool(head) and b"\0" not in head and head.isascii()


def _of_set(record: Record, metadata: Path) -> Subject:
    doing = f"booting {metadata.name}"
    if record.arch not in _ARCHITECTURES:
        raise HostError(f"{doing}: it is for {record.arch}, and machines here are amd64")
    wrong = next((one for one in record.files if "/" in one.filename or one.container not in CONTAINERS), None)
    if wrong is not None:
        raise BuildError(f"{doing}: {wrong.filename} in {wrong.container} is nothing that can be read")
    place = metadata.parent
    disk = next((place / one.filename for one in record.artifacts if one.kind == DISK), None)
    images = tuple(_packed(one, place) for one in record.images if one.mount is not None)
    if disk is None and not images:
        raise BuildError(f"{doing}: the set has neither a disk nor images that say where they are mounted")
    files = {place / one.filename: one.sha256 for one in record.files}
    return Subject(metadata.name, disk, images, files, any(name == _CLOUD_INIT for name, _ in record.installed))


def _packed(one: Recorded, place: Path) -> Packed:
    assert one.mount is not None, "others were left out"
    return Packed(place / one.filename, one.mount, one.format, one.container)


def _digest(file: Path) -> str:
    digest = hashlib.sha256()
    try:
        with file.open("rb") as opened:
            while chunk := opened.read(_CHUNK_BYTES):
                digest.update(chunk)
    except OSError as error:
        raise BuildError(f"reading {file}: {error.strerror}") from error
    return digest.hexdigest()
