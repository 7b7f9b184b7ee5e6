"""What is installed in a tree.

Owns the reading of dpkg's list and the matching of each package with the repository that it came from.
"""

from __future__ import annotations

from dataclasses import dataclass

from fuel_image.archive.repositories import Repositories
from fuel_image.errors import BuildError
from fuel_image.tree.chroot import Chroot

_FORMAT = "${binary:Package}\t${Version}\t${Architecture}\t${source:Package}\t${Status}\n"


@dataclass(frozen=True)
class Installed:
    """An installed package; *repository* is the name of where it came from, None if no repository holds it."""

    name: str
    version: str
    architecture: str
    source: str
    repository: str | None


def installed(chroot: Chroot, repositories: Repositories) -> tuple[Installed, ...]:
    """Return the installed packages, sorted by name. Raises BuildError if dpkg left one half-installed."""
    listed = chroot.run(
        "dpkg-query", "--show", f"--showformat={_FORMAT}", doing="listing packages", want_output=True
    ).text
    found = []
    for line in sorted(listed.splitlines()):
        name, version, architecture, source, status = line.split("\t")
        if status.endswith(("config-files", "not-installed")):
            continue
        if status not in ("install ok installed", "hold ok installed"):
            raise BuildError(f"checking what is installed: {name} is in the state {status!r}, not installed")
        name = name.partition(":")[0]
        found.append(Installed(name, version, architecture, source, _origin(repositories, name, version, architecture)))
    return tuple(found)


def _origin(repositories: Repositories, name: str, version: str, architecture: str) -> str | None:
    for package in repositories.named(name):
        if (package.version, package.architecture) == (version, architecture):
            origin: str = repositories[package.repository].request.name
            return origin
    return None
