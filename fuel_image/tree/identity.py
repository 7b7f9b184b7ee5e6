"""What a tree says of the machine: its name and its time zone.

Owns the files that hold them. It must not run programs.
"""

from __future__ import annotations

import difflib

from fuel_image.errors import BuildError, TreeError
from fuel_image.tree import settle
from fuel_image.tree.root import Tree

_HOSTNAME, _HOSTS = "/etc/hostname", "/etc/hosts"
_OWN_ADDRESS = "127.0.1.1"
_ZONES = "/usr/share/zoneinfo"
_ZONE_BEGINS = b"TZif"


def set_hostname(tree: Tree, name: str) -> None:
    """Name the machine: its first label in /etc/hostname, the whole in /etc/hosts, as Debian's installer has it."""
    short = name.partition(".")[0]
    tree.write(_HOSTNAME, f"{short}\n")
    names = name if name == short else f"{name} {short}"
    lines = (tree.read(_HOSTS) if tree.exists(_HOSTS) else settle.HOSTS).splitlines()
    others = [line for line in lines if line.split()[:1] != [_OWN_ADDRESS]]
    place = 1 + next((number for number, line in enumerate(others) if line.startswith("127.0.0.1")), -1)
    tree.write(_HOSTS, "".join(f"{line}\n" for line in (*others[:place], f"{_OWN_ADDRESS}\t{names}", *others[place:])))


def set_timezone(tree: Tree, zone: str) -> None:
    """Set the time zone. Raises BuildError for one that the tree does not have."""
    try:
        with tree.reading(f"{_ZONES}/{zone}") as file:
            known = file.read(len(_ZONE_BEGINS)) == _ZONE_BEGINS
    except TreeError:
        known = False
    if not known:
        zones = [path[len(_ZONES) + 1 :] for path in tree.walk_files(_ZONES)]
        close = difflib.get_close_matches(zone, zones, n=1)
        advice = f"did you mean {close[0]}?" if close else "zones come with the packages tzdata and tzdata-legacy"
        raise BuildError(f"setting the time zone: the tree has no {zone}", advice=advice)
    tree.remove("/etc/localtime")
    tree.symlink("/etc/localtime", f"{_ZONES}/{zone}")
    tree.write("/etc/timezone", f"{zone}\n")
