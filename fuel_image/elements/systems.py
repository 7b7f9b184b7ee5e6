"""The elements that are an operating system, and what of them our own base system stands for.

Owns the table of them. The packages are those that their hooks of the phase root install, and the hooks are those that
are not run: a tree that was bootstrapped, and has these packages, is what they would have made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fuel_image.elements.element import Element


@dataclass(frozen=True)
class System:
    """The *element* that makes a *distribution*, and the *packages* that it brings in the phase root."""

    element: str
    distribution: str
    packages: tuple[str, ...]


SYSTEMS = {
    one.element: one
    for one in (
        System("ubuntu-minimal", "Ubuntu", ("apt", "systemd-sysv", "busybox", "sudo", "python3")),
        System("debian-minimal", "Debian", ("apt", "systemd-sysv", "busybox", "sudo", "gnupg2|gnupg", "python3")),
    )
}

REPLACED = {
    ("debootstrap", "08-debootstrap"): (),
    ("debian-minimal", "75-debian-minimal-baseinstall"): ("apt-get", "update"),
    ("ubuntu-minimal", "75-ubuntu-minimal-baseinstall"): ("apt-get", "update"),
}
"""The hooks of the phase root, each by its element and its name, in whose place our base system is.

What they do besides, on which hooks of later phases rely, is what is run in the tree in their place.
"""


REFUSED = {
    "bootloader": "puts a boot loader on a block device; leave it out, and vm with it, and ask for disks",
    "ramdisk-base": "makes a RAM disk of a tree; leave it out and ask for initramfs",
}
"""Elements that would need what is not there, and what to do instead."""


def system_of(elements: Sequence[Element]) -> System | None:
    """Return the operating system among *elements*, if it is one that we know."""
    return next((SYSTEMS[one.name] for one in elements if one.name in SYSTEMS), None)
