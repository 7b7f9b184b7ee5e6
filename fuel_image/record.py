"""The record of a published set, read back.

Owns the reading of a metadata file: of ours of any version, and of those that fa_build_image wrote, which say less. It
must not look at the files that the record describes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fuel_image import plain
from fuel_image.archive.transport import Failure, Transport
from fuel_image.errors import FuelImageError, redact
from fuel_image.metadata import END, HEAD, SEAL, is_sealed
from fuel_image.publish import IMAGE

LIMIT_BYTES = 16 << 20
"""How long a record may be; one of a thousand packages has a hundredth of it."""
_NUMBER = re.compile("[0-9]{1,18}")


class RecordError(FuelImageError):
    """A file is no record of a set, or only the beginning of one."""


@dataclass(frozen=True)
class Raw:
    """What comes out of a container; *sha256* is None where the record does not say."""

    size_bytes: int
    md5: str
    sha256: str | None


@dataclass(frozen=True)
class Recorded:
    """A published file as its record describes it; *sha256* and *mount* are None where the record does not say.

    *raw* is the file system in a partition image; of other files, such as disks, only the file itself is known.
    """

    kind: str
    filename: str
    size_bytes: int
    md5: str
    sha256: str | None
    container: str
    format: str
    raw: Raw | None = None
    mount: str | None = None
    virtual_size_bytes: int | None = None


@dataclass(frozen=True)
class Source:
    """A repository that a set was made from; *release_sha256* is the state that it was in."""

    name: str
    uri: str
    suite: str
    section: str
    release_sha256: str | None


@dataclass(frozen=True)
class Record:
    """What is known of a set. *version* is that of the program, None for another program than ours.

    *wishes* are the packages that were asked for, *installed* all versions by name and architecture, nothing where
    the record does not say.
    """

    system: str
    codename: str | None
    arch: str | None
    version: str | None
    request_sha256: str | None
    wishes: tuple[str, ...]
    sources: tuple[Source, ...]
    images: tuple[Recorded, ...]
    artifacts: tuple[Recorded, ...]
    installed: Mapping[tuple[str, str], str]

    @property
    def files(self) -> tuple[Recorded, ...]:
        """Every published file but the record itself."""
        return (*self.images, *self.artifacts)


def parse(text: str) -> Record:
    """Read the text of a metadata file. Raises RecordError."""
    try:
        found = plain.load(text)
        if not isinstance(found, dict):
            raise RecordError("no record of a set: it is no mapping")
        if text.startswith(HEAD) or SEAL in text or "fuel_image_version" in found:
            _check_whole(text)
        return _typed(found)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        reason = f"it lacks {error}" if isinstance(error, KeyError) else " ".join(str(error).split())
        raise RecordError(f"no record of a set: {reason}") from error


def _check_whole(text: str) -> None:
    if not text.endswith(END):
        raise RecordError("the record of a set is cut short")
    if not is_sealed(text):
        raise RecordError("the record of a set has changed since it was written: its own digest is another")


def read(path: Path) -> Record:
    """Read the metadata file at *path*. Raises OSError, UnicodeDecodeError and RecordError."""
    with path.open("rb") as file:
        content = file.read(LIMIT_BYTES + 1)
    if len(content) > LIMIT_BYTES:
        raise RecordError("no record of a set: it is too long")
    return parse(content.decode("utf-8"))


def _typed(found: dict[str, Any]) -> Record:
    return Record(
        system=_system(_text(found["os"]["name"]), _number(found["os"]["major"]), _number(found["os"]["minor"])),
        codename=_text_or_none(found.get("codename")),
        arch=_text_or_none(found.get("arch")),
        version=_text_or_none(found.get("fuel_image_version")),
        request_sha256=_text_or_none(found.get("request_sha256")),
        wishes=tuple(_text(one) for one in found["packages"]),
        sources=tuple(_source(one) for one in found["repos"]),
        images=tuple(_image(one) for one in found["images"]),
        artifacts=tuple(_artifact(one) for one in found.get("artifacts", ())),
        installed={
            (_text(one["name"]), _text(one["arch"])): _text(one["version"]) for one in found.get("installed", ())
        },
    )


def _text(value: Any) -> str:
    """Return text that may go to a terminal, which a record from a stranger may be printed on."""
    if not isinstance(value, str) or not value.isprintable():
        raise ValueError(f"{str(value)[:60]!r} is no text")
    return value


def _text_or_none(value: Any) -> str | None:
    return None if value is None else _text(value)


def _number(value: Any) -> int:
    if isinstance(value, (bool, float)) or not _NUMBER.fullmatch(str(value)):
        raise ValueError(f"{str(value)[:60]!r} is no number")
    return int(value)


def _system(name: str, major: int, minor: int) -> str:
    """Return a release as it calls itself: Debian has no minor number, Ubuntu's is a month."""
    return f"{name} {major}" if name == "Debian" else f"{name} {major}.{minor:02}"


def _source(one: dict[str, Any]) -> Source:
    name, uri, suite, section = (_text(one[key]) for key in ("name", "uri", "suite", "section"))
    # fa_build_image wrote the URI with its credentials, as it stood in the request.
    return Source(name, redact(uri), suite, section, _text_or_none(one.get("release_sha256")))


def _image(one: dict[str, Any]) -> Recorded:
    return Recorded(
        kind=IMAGE,
        filename=_text(one["container_name"]),
        size_bytes=_number(one["container_size"]),
        md5=_text(one["container_md5"]),
        sha256=_text_or_none(one.get("container_sha256")),
        container=_text(one["container"]),
        format=_text(one["format"]),
        raw=Raw(_number(one["raw_size"]), _text(one["raw_md5"]), _text_or_none(one.get("raw_sha256"))),
        mount=_text_or_none(one.get("mount")),
    )


def _artifact(one: dict[str, Any]) -> Recorded:
    kind, name, md5, sha256, container, form = (
        _text(one[key]) for key in ("kind", "name", "md5", "sha256", "container", "format")
    )
    virtual = _number(one["virtual_size"]) if "virtual_size" in one else None
    return Recorded(kind, name, _number(one["size"]), md5, sha256, container, form, virtual_size_bytes=virtual)


def url_of(location: str) -> str:
    """Return the URL of a metadata file that is named by its path or URL."""
    return location if location.startswith(("http://", "https://")) else Path(location).absolute().as_uri()


def fetched(location: str, transport: Transport) -> Record:
    """Read the metadata file at a path or URL. Raises RecordError."""
    try:
        with transport.opened(url_of(location), 0) as body:
            return parse(b"".join(body.chunks(LIMIT_BYTES)).decode("utf-8"))
    except Failure as error:
        raise RecordError(f"reading {location}: {error}", advice=error.advice) from error
    except UnicodeDecodeError as error:
        raise RecordError(f"reading {location}: no record of a set: it is no text") from error
    except RecordError as error:
        raise RecordError(f"reading {location}: {error.message}") from error
