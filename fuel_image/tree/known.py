"""What a tree says beforehand of the packages to come.

Owns the reading of it, below the current root, which must be the tree's: which numbers the names of owners have, and
with which paths dpkg does something else than with others.
"""

from __future__ import annotations

import re
import tarfile
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

_DPKG = "/var/lib/dpkg"
_NUMBER = re.compile("[0-9]{1,9}")


@dataclass(frozen=True)
class Known:
    """The numbers of *users* and *groups*, which dpkg looks up by name, and *special* paths: diverted or overridden."""

    special: Collection[str] = frozenset()
    users: Mapping[str, int] = field(default_factory=dict)
    groups: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def read(cls) -> Known:
        """Return what the tree says."""
        diversions, overrides = (_lines(f"{_DPKG}/{name}") for name in ("diversions", "statoverride"))
        # Three lines each: from, to, and the package that has it.
        diverted = [line for number, line in enumerate(diversions) if number % 3 < 2]
        # Owner, group, mode and path (dpkg-statoverride(1)).
        overridden = [line.split(" ", 3)[3] for line in overrides if line.count(" ") > 2]
        return cls(frozenset((*diverted, *overridden)), _numbers("/etc/passwd"), _numbers("/etc/group"))

    def set_owner(self, member: tarfile.TarInfo) -> None:
        """Give a member of a package the owner that dpkg would give it."""
        member.uid = self.users.get(member.uname, member.uid)
        member.gid = self.groups.get(member.gname, member.gid)


def _numbers(path: str) -> dict[str, int]:
    """Return the numbers of users or groups by name; the C library's own functions would load the tree's modules."""
    entries = (line.split(":") for line in _lines(path))
    return {fields[0]: int(fields[2]) for fields in entries if len(fields) > 2 and _NUMBER.fullmatch(fields[2])}


def _lines(path: str) -> list[str]:
    try:
        with open(path, "rb") as file:
            return file.read().decode("utf-8", "surrogateescape").split("\n")
    except FileNotFoundError:
        return []
