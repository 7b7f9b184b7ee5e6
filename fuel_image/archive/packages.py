"""Packages indices.

Owns the reading of an index: stanzas by package name, found lazily, because an index holds seventy thousand stanzas of
which a build looks at a few hundred. It must not compare repositories with each other; ``repositories.py`` does.
"""

from __future__ import annotations

import functools
import logging
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Callable, TypeVar

from fuel_image.archive import stanza
from fuel_image.errors import ReleaseError

LOG = logging.getLogger(__name__)

_Found = TypeVar("_Found")
_DEPENDENCY = re.compile(  # no two repetitions that take the same characters meet: a match takes linear time
    r"(?P<name>[a-zA-Z0-9][a-zA-Z0-9+._-]*)(?::(?P<arch>[a-z0-9-]+))?"
    r"(?:\s*\(\s*(?P<relation><<|<=|=|>=|>>|<|>)\s*(?P<version>[^\s)]+)\s*\))?(?:\s*\[[^\]]*\])?"
)
_SHA256 = re.compile(r"[0-9a-f]{64}")
_SIZE = re.compile(r"[0-9]{1,15}")
_LONGEST_STANZA_BYTES = 4 << 20
_MOST = 2_000_000
"""How many packages an index may hold, and how many names they may provide: many times what Debian has."""


@dataclass(frozen=True)
class Dependency:
    """One alternative of a dependency; *relation* is empty when any version will do."""

    name: str
    relation: str = ""
    version: str = ""


@dataclass(frozen=True)
class Package:
    """A binary package as an index describes it; *repository* is the place of its repository in the request.

    *depends* holds Pre-Depends and Depends: each entry is a tuple of alternatives, one of which is needed.
    """

    name: str
    version: str
    architecture: str
    filename: str
    size_bytes: int
    sha256: str
    essential: bool
    required: bool
    source: str
    depends: tuple[tuple[Dependency, ...], ...]
    provides: tuple[Dependency, ...]
    repository: int

    @property
    def archive_name(self) -> str:
        """The name under which apt keeps the file (a colon in the version is escaped)."""
        return f"{self.name}_{self.version.replace(':', '%3a')}_{self.architecture}.deb"

    @property
    def identity(self) -> str:
        """What tells it from every other package, for people and for keys: name, version, architecture and digest."""
        return f"{self.name} {self.version} {self.architecture} {self.sha256}"


class Index:
    """The stanzas of one Packages file; *load* gives its text, and is asked when somebody first looks.

    *sha256* is the digest of the file as the repository has it: two indices with the same hold the same.
    """

    def __init__(self, load: Callable[[], bytes], sha256: str, repository: int, label: str) -> None:
        self._load = load
        self.sha256 = sha256
        self.label = label
        self._repository = repository

    @functools.cached_property
    def content(self) -> bytes:
        """The text of the whole index."""
        return self._load()

    @functools.cached_property
    def _places(self) -> Mapping[bytes, tuple[int, ...]]:
        places: dict[bytes, list[int]] = defaultdict(list)
        for place, name in self._bounded(_fields(self.content, b"Package"), "packages"):
            places[name].append(place)
        return {name: tuple(found) for name, found in places.items()}

    @functools.cached_property
    def _providers(self) -> Mapping[str, tuple[int, ...]]:
        places: dict[str, list[int]] = defaultdict(list)
        for place, name in self._bounded(self._all_provided(), "provided names"):
            places[name].append(place)
        return {name: tuple(found) for name, found in places.items()}

    def _all_provided(self) -> Iterator[tuple[int, str]]:
        for place, value in _fields(self.content, b"Provides"):
            if len(value) > _LONGEST_STANZA_BYTES:
                raise self._too_long()
            for provided in _provided(value.decode("utf-8", "replace")):
                yield place, provided.name

    def _bounded(self, found: Iterator[_Found], what: str) -> Iterator[_Found]:
        for number, one in enumerate(found):
            if number == _MOST:
                raise ReleaseError(f"reading the package index {self.label}: more than {_MOST:,} {what}")
            yield one

    def _too_long(self) -> ReleaseError:
        limit = f"longer than {_LONGEST_STANZA_BYTES >> 20} MiB"
        return ReleaseError(f"reading the package index {self.label}: a stanza is {limit}")

    def names(self) -> Iterator[str]:
        """Give the names of all packages."""
        return (name.decode("utf-8", "replace") for name in self._places)

    def named(self, name: str) -> Iterator[Package]:
        """Give the packages of this name."""
        return self._packages_at(self._places.get(name.encode("utf-8", "replace"), ()))

    def providing(self, name: str) -> Iterator[Package]:
        """Give the packages that provide *name*."""
        return self._packages_at(self._providers.get(name, ()))

    def stanzas(self, packages: Iterable[Package]) -> Iterator[bytes]:
        """Give the text of those of *packages* that the index holds."""
        wanted = {(one.name, one.archive_name) for one in packages if one.repository == self._repository}
        for name, archive_name in sorted(wanted):
            for start in self._stanzas_at(self._places.get(name.encode("utf-8", "replace"), ())):
                if self._package_at(start).archive_name == archive_name:
                    yield self._text_of(start) + b"\n"

    def base(self) -> Iterator[str]:
        """Give the names of the packages that are essential or of priority required."""
        for field, wanted in ((b"Essential", b"yes"), (b"Priority", b"required")):
            places = (place for place, value in _fields(self.content, field) if value == wanted)
            yield from (package.name for package in self._packages_at(places))

    def _packages_at(self, places: Iterable[int]) -> Iterator[Package]:
        return (self._package_at(start) for start in self._stanzas_at(places))

    def _stanzas_at(self, places: Iterable[int]) -> Iterator[int]:
        """Give where every stanza begins in which one of *places* lies, which ascend."""
        end = 0
        for place in places:
            if place >= end:
                start = self._stanza_at(place)
                end = start + len(self._text_of(start))
                yield start

    @functools.cache  # noqa: B019  (an index lives as long as its build)
    def _package_at(self, start: int) -> Package:
        return _package(stanza.parse(self._text_of(start).decode("utf-8", "replace")), self._repository, self.label)

    def _stanza_at(self, place: int) -> int:
        """Return where the stanza begins in which *place* lies."""
        earliest = max(0, place - _LONGEST_STANZA_BYTES)
        found = self.content.rfind(b"\n\n", earliest, place)
        if found < 0 and earliest:
            raise self._too_long()
        return found + 2 if found >= 0 else 0

    def _text_of(self, start: int) -> bytes:
        """Return the text of the stanza that begins at *start*."""
        end = self.content.find(b"\n\n", start, start + _LONGEST_STANZA_BYTES)
        if end < 0 and len(self.content) - start > _LONGEST_STANZA_BYTES:
            raise self._too_long()
        return self.content[start : end if end >= 0 else None].rstrip(b"\n")


def _fields(content: bytes, name: bytes) -> Iterator[tuple[int, bytes]]:
    """Give the first line of every field of this name: where it begins, and its value.

    Looking for a constant takes a tenth of the time that matching a pattern at the beginning of every line does.
    """
    start = name + b":"
    place = 0 if content.startswith(start) else _after_break(content, start, 0)
    while place >= 0:
        end = content.find(b"\n", place)
        yield place, content[place + len(start) : end if end >= 0 else None].strip()
        place = _after_break(content, start, place)


def _after_break(content: bytes, start: bytes, place: int) -> int:
    """Return where the next line that begins with *start* begins, after *place*; -1 if there is none."""
    found = content.find(b"\n" + start, place)
    return found + 1 if found >= 0 else -1


def _package(fields: Mapping[str, str], repository: int, label: str) -> Package:
    name = fields.get("package", "")
    try:
        if not _SIZE.fullmatch(fields["size"]):
            raise ValueError("its Size is no size")
        sha256 = fields["sha256"].lower()
        if not _SHA256.fullmatch(sha256):
            raise ValueError("its SHA256 is no SHA-256")
        depends = [part for part in (fields.get("pre-depends"), fields.get("depends")) if part]
        return Package(
            name=name,
            version=fields["version"],
            architecture=fields["architecture"],
            filename=fields["filename"],
            size_bytes=int(fields["size"]),
            sha256=sha256,
            essential=fields.get("essential") == "yes",
            required=fields.get("priority") == "required",
            source=fields.get("source", name).partition(" ")[0],
            depends=tuple(parse_dependencies(", ".join(depends))),
            provides=_provided(fields.get("provides", "")),
            repository=repository,
        )
    except (KeyError, ValueError) as error:
        reason = f"no {error.args[0]}" if isinstance(error, KeyError) else str(error)
        raise ReleaseError(f"reading the package index {label}: package {name or '?'}: {reason}") from error


def _provided(text: str) -> tuple[Dependency, ...]:
    """Read a Provides field; one that cannot be read provides nothing, as its package may never be looked at."""
    try:
        return tuple(group[0] for group in parse_dependencies(text))
    except ValueError as error:
        LOG.debug("passing over a Provides: %s", error)
        return ()


def parse_dependencies(text: str) -> Iterator[tuple[Dependency, ...]]:
    """Split a dependency field (Debian Policy 7.1) into its groups of alternatives; raise ValueError if it is none."""
    for group in text.split(","):
        if group.strip():
            yield tuple(_dependency(alternative) for alternative in group.split("|"))


def _dependency(text: str) -> Dependency:
    match = _DEPENDENCY.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text.strip()[:60]!r} is no dependency")
    return Dependency(match["name"], match["relation"] or "", match["version"] or "")
