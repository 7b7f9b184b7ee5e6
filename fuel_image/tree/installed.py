"""What is installed in a tree.

Owns the reading of dpkg's list.
"""

from __future__ import annotations

from dataclasses import dataclass

from fuel_image.errors import BuildError
from fuel_image.tree.chroot import Chroot

_FORMAT = "${binary:Package}\t${Version}\t${Architecture}\t${source:Package}\t${Status}\n"


@dataclass(frozen=True)
class Installed:
    """An installed package."""

    name: str
    version: str
    architecture: str
    source: str


def installed(chroot: Chroot) -> tuple[Installed, ...]:
    """Return the installed packages, sorted by name. Raises BuildError if dpkg left one half-installed."""
    argv = ("dpkg-query", "--show", f"--showformat={_FORMAT}")
    found = []
    for line in sorted(chroot.run(*argv, doing="listing packages", want_output=True).text.split("\n")[:-1]):
        fields = line.split("\t")
        if len(fields) != _FORMAT.count("\t") + 1:
            raise BuildError(f"checking what is installed: dpkg-query says {line[:60]!r}")
        name, version, architecture, source, status = fields
        if status.endswith(("config-files", "not-installed")):
            continue
        if status not in ("install ok installed", "hold ok installed"):
            raise BuildError(f"checking what is installed: {name} is in the state {status!r}, not installed")
        found.append(Installed(name.partition(":")[0], version, architecture, source))
    return tuple(found)
