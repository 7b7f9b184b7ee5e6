"""What every pipeline builds.

Owns the release, the packages, the place of the mirror, which is learned from this host as the program's own sample
does, and the requests to fuel-image. It must not run anything.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fuel_image import sample

SUITE = "noble"
POCKETS = ("", "-updates", "-security")
COMPONENTS = ("main", "universe")
PACKAGES = (
    "systemd-sysv", "apt", "udev", "dbus", "login", "linux-image-virtual", "initramfs-tools", "cloud-init",
    "openssh-server", "grub-pc", "lvm2", "mdadm", "curl", "gdisk", "ethtool", "acl", "bash-completion", "bridge-utils",
    "build-essential",
)  # fmt: skip
SMALL_PACKAGES = ("tree", "hello", "pv", "dos2unix")
"""Each is small and alone: a build that asks for one more of them is another build with nearly the same content."""


@dataclass(frozen=True)
class Workload:
    """One content for all: a mirror of Ubuntu, and what to take from it."""

    mirror: str

    @property
    def sources(self) -> tuple[str, ...]:
        """The lines of sources.list(5)."""
        return tuple(f"deb {self.mirror} {SUITE}{pocket} {' '.join(COMPONENTS)}" for pocket in POCKETS)

    @property
    def release_files(self) -> tuple[str, ...]:
        """What even a build that has everything must ask the mirror for."""
        return tuple(f"{self.mirror}/dists/{SUITE}{pocket}/InRelease" for pocket in POCKETS)

    def request(
        self, output: Path, extra: Sequence[str] = (), root_password: str = "first", proxy: str | None = None
    ) -> dict[str, Any]:
        """Return a request for the images in *output*, with *extra* packages."""
        proxies = {"proxies": {"protocols": {"http": proxy}}} if proxy else {}
        return {
            "image_data": {
                "/boot": {"uri": "http://127.0.0.1/node-boot.img.gz", "format": "ext2", "container": "gzip"},
                "/": {"uri": "http://127.0.0.1/node.img.gz", "format": "ext4", "container": "gzip"},
            },
            "output": str(output),
            "repos": [
                {"name": f"ubuntu{pocket}", "uri": self.mirror, "suite": f"{SUITE}{pocket}",
                 "section": " ".join(COMPONENTS), "priority": None}
                for pocket in POCKETS
            ],
            "codename": SUITE,
            "packages": [*PACKAGES, *extra],
            "root_password": root_password,
            **proxies,
        }  # fmt: skip


def learned() -> Workload:
    """Return the workload with the mirror that this host knows. Raises LookupError if it knows none."""
    document = json.loads(sample.sample(SUITE, "unused"))
    mirror = str(document["repos"][0]["uri"]).rstrip("/")
    if ".example." in mirror:
        raise LookupError(f"this host knows no mirror of {SUITE}: install debootstrap")
    return Workload(mirror)
