"""The repositories of a request, opened.

Owns their verified state and apt's choice among the packages of all of them (apt_preferences(5)). It must not fetch and
must not install.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import quote

from fuel_image.archive.fetch import Wanted
from fuel_image.archive.packages import Dependency, Index, Package
from fuel_image.archive.release import Release
from fuel_image.archive.version import satisfies, sort_key
from fuel_image.request import Repository


@dataclass(frozen=True)
class OpenRepository:
    """A repository with its verified state. *release* is None for a flat one without any."""

    request: Repository
    place: int
    release: Release | None
    indices: tuple[Index, ...]

    @property
    def priority(self) -> int:
        """The Pin-Priority of its packages: the request's, or what its Release asks for."""
        if self.request.priority is not None:
            return self.request.priority
        return 500 if self.release is None else self.release.default_priority

    @property
    def release_sha256(self) -> str | None:
        """The SHA-256 of the verified text of its Release: the state that it was in."""
        return None if self.release is None else self.release.sha256


class Repositories(Sequence[OpenRepository]):
    """All repositories of a request, in its order, and apt's choice among their packages."""

    def __init__(self, opened: Sequence[OpenRepository], arch: str) -> None:
        self._opened = tuple(opened)
        self.arch = arch

    def __len__(self) -> int:
        return len(self._opened)

    def __getitem__(self, place):  # type: ignore[no-untyped-def]
        return self._opened[place]

    def indices(self) -> Iterator[Index]:
        """Give every index of every repository."""
        return (index for repository in self._opened for index in repository.indices)

    def named(self, name: str) -> list[Package]:
        """Return the packages of this name that run on our architecture."""
        found = (package for index in self.indices() for package in index.named(name))
        return [package for package in found if package.architecture in (self.arch, "all")]

    def candidate(self, name: str) -> Package | None:
        """Return the package that apt would install for *name* into an empty system.

        The highest priority wins, then the highest version, then the earlier repository. A version that several
        repositories offer has the highest of their priorities; below 0 it is never installed.
        """
        versions: dict[str, tuple[int, Package]] = {}
        for package in self.named(name):
            priority = self._opened[package.repository].priority
            if package.version not in versions or priority > versions[package.version][0]:
                versions[package.version] = (priority, package)
        offered = [
            (priority, sort_key(version), package) for version, (priority, package) in versions.items() if priority >= 0
        ]
        return max(offered, key=lambda offer: offer[:2])[2] if offered else None

    def satisfying(self, wanted: Dependency) -> Package | None:
        """Return the candidate that satisfies *wanted*, by its name or by what it provides."""
        package = self.candidate(wanted.name)
        if package is not None and satisfies(package.version, wanted.relation, wanted.version):
            return package
        providers = {found.name for index in self.indices() for found in index.providing(wanted.name)}
        for name in sorted(providers):
            provider = self.candidate(name)
            if provider is not None and provides(provider, wanted):
                return provider
        return None

    def wanted(self, package: Package) -> Wanted:
        """Return how to fetch a package's file."""
        urls = urls_of(self._opened[package.repository].request, package.filename)
        return Wanted(urls, package.size_bytes, package.sha256, PurePosixPath(package.filename).name)

    def stanzas(self, packages: Sequence[Package]) -> Iterator[bytes]:
        """Give the text of each of *packages*."""
        return (text for index in self.indices() for text in index.stanzas(packages))

    def state(self) -> list[object]:
        """Return, in JSON's types, all that a choice of packages depends on: architecture, indices, order, pins."""
        every = [[one.priority, [[index.label, index.sha256] for index in one.indices]] for one in self._opened]
        return [self.arch, *every]

    def base_date(self) -> int:
        """Return the date of the first repository's Release, in seconds since the epoch; 0 if it does not say."""
        release = self._opened[0].release
        return 0 if release is None else release.date or 0

    def newest_date(self) -> int:
        """Return the date of the newest Release, in seconds since the epoch; 0 if none says."""
        return max((one.release.date or 0 for one in self._opened if one.release is not None), default=0)


def provides(package: Package, wanted: Dependency) -> bool:
    """Tell whether *package* provides *wanted*; only a versioned Provides satisfies a versioned need (policy 7.5)."""
    return any(
        one.name == wanted.name
        and (not wanted.relation or (one.relation == "=" and satisfies(one.version, wanted.relation, wanted.version)))
        for one in package.provides
    )


def suite_path(requested: Repository) -> str:
    """Return where the suite lies, relative to the repository's root."""
    flat = requested.suite.strip("/")
    return f"dists/{requested.suite}" if requested.components else flat or "."


def urls_of(requested: Repository, path: str) -> tuple[str, ...]:
    """Return where *path*, relative to the repository's root, may be had."""
    return tuple(f"{uri}/{quote(str(PurePosixPath(path)), safe='/+~')}" for uri in requested.uris)
