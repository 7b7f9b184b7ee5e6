"""What differs between releases of Ubuntu and Debian.

Owns the table SUITES: one row for each release, with nothing in it that the release's own repositories tell. A suite
that has no row (a derivative's, a future one) is treated as the newest of its kind. It must not do anything.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

ARCHITECTURES = {
    "amd64": "x86_64",
    "i386": "i686",
    "arm64": "aarch64",
    "armhf": "armv7l",
    "ppc64el": "ppc64le",
    "s390x": "s390x",
    "riscv64": "riscv64",
}
"""Debian's names of the architectures and the kernel's (uname -m)."""


@dataclass(frozen=True)
class Suite:
    """A release. *linux* is the oldest kernel that it came with: no file system may need a newer one.

    *merged_usr*: /bin, /lib and /sbin are links into /usr from the start, as debootstrap makes them. *extra_base* are
    packages of the base system besides those that the repositories call required.
    """

    name: str
    distribution: str
    major: int
    minor: int
    linux: tuple[int, int] = (6, 8)
    merged_usr: bool = True
    extra_base: tuple[str, ...] = ()


_MERGED = ("usr-is-merged",)
"""debootstrap adds it from bookworm on, so that usrmerge, which needs all of Perl, is not chosen."""

_ROWS = (
    Suite("precise", "Ubuntu", 12, 4, (3, 2), merged_usr=False),
    Suite("trusty", "Ubuntu", 14, 4, (3, 13), merged_usr=False),
    Suite("xenial", "Ubuntu", 16, 4, (4, 4), merged_usr=False),
    Suite("yakkety", "Ubuntu", 16, 10, (4, 8), merged_usr=False),
    Suite("zesty", "Ubuntu", 17, 4, (4, 10), merged_usr=False),
    Suite("artful", "Ubuntu", 17, 10, (4, 13), merged_usr=False),
    Suite("bionic", "Ubuntu", 18, 4, (4, 15), merged_usr=False),
    Suite("cosmic", "Ubuntu", 18, 10, (4, 18), merged_usr=False),
    Suite("disco", "Ubuntu", 19, 4, (5, 0)),
    Suite("eoan", "Ubuntu", 19, 10, (5, 3)),
    Suite("focal", "Ubuntu", 20, 4, (5, 4)),
    Suite("groovy", "Ubuntu", 20, 10, (5, 8)),
    Suite("hirsute", "Ubuntu", 21, 4, (5, 11)),
    Suite("impish", "Ubuntu", 21, 10, (5, 13)),
    Suite("jammy", "Ubuntu", 22, 4, (5, 15)),
    Suite("kinetic", "Ubuntu", 22, 10, (5, 19)),
    Suite("lunar", "Ubuntu", 23, 4, (6, 2)),
    Suite("mantic", "Ubuntu", 23, 10, (6, 5)),
    Suite("noble", "Ubuntu", 24, 4),
    Suite("oracular", "Ubuntu", 24, 10),
    Suite("plucky", "Ubuntu", 25, 4),
    Suite("questing", "Ubuntu", 25, 10),
    Suite("resolute", "Ubuntu", 26, 4),
    Suite("bullseye", "Debian", 11, 0, (5, 10)),
    Suite("bookworm", "Debian", 12, 0, (6, 1), extra_base=_MERGED),
    Suite("trixie", "Debian", 13, 0, extra_base=_MERGED),
    Suite("forky", "Debian", 14, 0, extra_base=_MERGED),
    Suite("sid", "Debian", 15, 0, extra_base=_MERGED),
)
SUITES = {row.name: row for row in _ROWS}


def suite_named(codename: str, origin: str | None = None, version: str | None = None) -> Suite:
    """Return the row of *codename*, or one made from what a repository's Release says of itself."""
    if codename in SUITES:
        return SUITES[codename]
    numbers = [int(part) for part in re.findall(r"[0-9]{1,4}", version or "")[:2]]
    major, minor = (*numbers, 0, 0)[:2]
    distribution = "Debian" if (origin or "").startswith("Debian") else "Ubuntu"
    return Suite(codename, distribution, major, minor, extra_base=_MERGED if distribution == "Debian" else ())


_COMMON_PACKAGES = """
    acl bash-completion bridge-utils bsdextrautils|bsdmainutils ca-certificates cloud-init cron curl dbus ethtool gdisk
    gnupg ifenslave ifupdown initramfs-tools iproute2 iputils-ping less lvm2 mdadm multipath-tools netbase
    ntp|ntpsec|chrony openssh-client openssh-server parted pciutils rsync rsyslog smartmontools sudo systemd-sysv
    tcpdump udev uuid-runtime vim-tiny virt-what vlan xfsprogs
"""
_DISTRIBUTION_PACKAGES = {
    "Ubuntu": ("ubuntu-minimal", "ubuntu-standard", "linux-image-generic"),
    "Debian": ("isc-dhcp-client|dhcpcd-base", "kmod", "locales", "man-db", "linux-image-{arch}"),
}
_BOOT_LOADER_PACKAGES = {
    "amd64": ("grub-pc", "grub-efi-amd64-bin"),
    "i386": ("grub-pc",),
    "arm64": ("grub-efi-arm64",),
    "armhf": ("grub-efi-arm",),
    "ppc64el": ("grub-ieee1275",),
}


def default_packages(suite: Suite, arch: str) -> tuple[str, ...]:
    """Return what a bare-metal node of this release gets when the request names no packages.

    ``a|b`` means the first of the two that the repositories hold. Kernel first: without one a node cannot boot.
    """
    own = _DISTRIBUTION_PACKAGES.get(suite.distribution, _DISTRIBUTION_PACKAGES["Ubuntu"])
    kernel = own[-1].format(arch={"i386": "686", "armhf": "armmp", "ppc64el": "powerpc64le"}.get(arch, arch))
    return (kernel, *own[:-1], *_BOOT_LOADER_PACKAGES.get(arch, ()), *_COMMON_PACKAGES.split())
