"""The record of a published set, read back.

Owns the reading of a metadata file: of ours of any version, and of those that fa_build_image wrote, which say less. It
must not look at the files that the record describes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from fuel_image.archive.transport import Failure, Transport
from fuel_image.errors import FuelImageError
from fuel_image.metadata import END

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml's, where PyYAML was built with it: the list of installed packages is long."""

_LIMIT_BYTES = 64 << 20


class RecordError(FuelImageError):
    """A file is no record of a set, or only the beginning of one."""


@dataclass(frozen=True)
class Recorded:
    """A published file as its record describes it, and the image in it; None where the record does not say."""

    filename: str
    size_bytes: int
    md5: str
    sha256: str | None
    container: str
    raw_size_bytes: int
    raw_md5: str
    raw_sha256: str | None
    format: str
    mount: str | None


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
    installed: Mapping[tuple[str, str], str]


def parse(text: str) -> Record:
    """Read the text of a metadata file. Raises RecordError."""
    try:
        found = yaml.load(text, Loader=_LOADER)
        if not isinstance(found, dict):
            raise RecordError("no record of a set: it is no mapping")
        if "fuel_image_version" in found and not text.endswith(END):
            raise RecordError("the record of a set is cut short")
        return _typed(found)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, yaml.YAMLError) as error:
        reason = f"it lacks {error}" if isinstance(error, KeyError) else " ".join(str(error).split())
        raise RecordError(f"no record of a set: {reason}") from error


def _typed(found: dict[str, Any]) -> Record:
    return Record(
        system=_system(str(found["os"]["name"]), int(found["os"]["major"]), int(found["os"]["minor"])),
        codename=found.get("codename"),
        arch=found.get("arch"),
        version=found.get("fuel_image_version"),
        request_sha256=found.get("request_sha256"),
        wishes=tuple(map(str, found["packages"])),
        sources=tuple(_source(one) for one in found["repos"]),
        images=tuple(_image(one) for one in found["images"]),
        installed={(one["name"], one["arch"]): str(one["version"]) for one in found.get("installed", ())},
    )


def _system(name: str, major: int, minor: int) -> str:
    """Return a release as it calls itself: Debian has no minor number, Ubuntu's is a month."""
    return f"{name} {major}" if name == "Debian" else f"{name} {major}.{minor:02}"


def _source(one: dict[str, Any]) -> Source:
    return Source(one["name"], one["uri"], one["suite"], one["section"], one.get("release_sha256"))


def _image(one: dict[str, Any]) -> Recorded:
    return Recorded(
        filename=str(one["container_name"]),
        size_bytes=int(one["container_size"]),
        md5=one["container_md5"],
        sha256=one.get("container_sha256"),
        container=one["container"],
        raw_size_bytes=int(one["raw_size"]),
        raw_md5=one["raw_md5"],
        raw_sha256=one.get("raw_sha256"),
        format=one["format"],
        mount=one.get("mount"),
    )


def url_of(location: str) -> str:
    """Return the URL of a metadata file that is named by its path or URL."""
    return location if location.startswith(("http://", "https://")) else Path(location).absolute().as_uri()


def fetched(location: str, transport: Transport) -> Record:
    """Read the metadata file at a path or URL. Raises RecordError."""
    try:
        with transport.opened(url_of(location), 0) as body:
            return parse(b"".join(body.chunks(_LIMIT_BYTES)).decode("utf-8"))
    except Failure as error:
        raise RecordError(f"reading {location}: {error}") from error
    except UnicodeDecodeError as error:
        raise RecordError(f"reading {location}: no record of a set: it is no text") from error
    except RecordError as error:
        raise RecordError(f"reading {location}: {error.message}") from error
