"""What differs between releases of Ubuntu and Debian.

Owns the table SUITES: one row for each release, with nothing in it that the release's own repositories tell. A suite
that has no row (a derivative's, a future one) is treated as the newest of its kind. It must not do anything.
"""

from __future__ import annotations

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

    *merged_usr*: /bin, /lib and /sbin are links into /usr from the start, as debootstrap makes them.
    """

    name: str
    distribution: str
    major: int
    minor: int
    linux: tuple[int, int] = (6, 8)
    merged_usr: bool = True


_ROWS = (
    Suite("precise", "Ubuntu", 12, 4, (3, 2), merged_usr=False),
    Suite("trusty", "Ubuntu", 14, 4, (3, 13), merged_usr=False),
    Suite("xenial", "Ubuntu", 16, 4, (4, 4), merged_usr=False),
    Suite("bionic", "Ubuntu", 18, 4, (4, 15), merged_usr=False),
    Suite("focal", "Ubuntu", 20, 4, (5, 4)),
    Suite("jammy", "Ubuntu", 22, 4, (5, 15)),
    Suite("noble", "Ubuntu", 24, 4),
    Suite("plucky", "Ubuntu", 25, 4),
    Suite("questing", "Ubuntu", 25, 10),
    Suite("resolute", "Ubuntu", 26, 4),
    Suite("bullseye", "Debian", 11, 0, (5, 10)),
    Suite("bookworm", "Debian", 12, 0, (6, 1)),
    Suite("trixie", "Debian", 13, 0),
    Suite("forky", "Debian", 14, 0),
    Suite("sid", "Debian", 15, 0),
)
SUITES = {row.name: row for row in _ROWS}


def suite_named(codename: str, origin: str | None = None, version: str | None = None) -> Suite:
    """Return the row of *codename*, or one made from what a repository's Release says of itself."""
    if codename in SUITES:
        return SUITES[codename]
    numbers = [int(part) for part in (version or "").split(".")[:2] if part.isdigit()]
    major, minor = (*numbers, 0, 0)[:2]
    return Suite(codename, origin or "Ubuntu", major, minor)


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
