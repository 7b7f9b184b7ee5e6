"""A tree as a squashfs.

Owns how one is made and what it cannot hold: ACLs, and fractions of seconds. The same tree gives the same bytes.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

from fuel_image.host import kernel
from fuel_image.host.command import run
from fuel_image.host.mounts import loop_device, mounted
from fuel_image.images import check as checks
from fuel_image.images.contents import Inventory
from fuel_image.printable import one_line

LOG = logging.getLogger(__name__)

_ACLS = (b"system.posix_acl_access", b"system.posix_acl_default")
COMPRESSIONS: Mapping[str, tuple[str, ...]] = {
    "gzip": ("gzip",),
    "xz": ("xz",),
    "zstd": ("zstd", "-Xcompression-level", "9"),  # its own choice, 15, takes seven times as long and gains 6 %
}
_ZSTD_LINUX = (4, 14)


def compression_for(linux: tuple[int, int]) -> str:
    """Return the compression that a release with the kernel *linux* reads fastest."""
    return "zstd" if linux >= _ZSTD_LINUX else "gzip"


def make(image: Path, top: Path, *, compression: str, threads: int, epoch: int) -> None:
    """Make a squashfs of the tree at *top*. Raises CommandError."""
    run(
        # without CAP_SYS_ADMIN nobody sees attributes of the host's file system, such as xfs's second name for an ACL
        *("setpriv", "--bounding-set=-sys_admin", "mksquashfs", top, image),
        *("-noappend", "-no-progress", "-quiet", "-xattrs"),
        *("-comp", *COMPRESSIONS[compression], "-processors", str(threads), "-mkfs-time", str(epoch)),
        doing="making a squashfs",
    )


def check(image: Path, top: Path, inventory: Inventory) -> None:
    """Raise BuildError unless *image* holds the tree at *top*, but for what no squashfs holds: a warning names it."""
    bare = {path for path, entry in inventory.entries.items() if any(name in _ACLS for name, _ in entry.attributes)}
    if bare:
        LOG.warning("a squashfs holds no ACLs: those of %s are lost", one_line(", ".join(sorted(bare))))
    mountpoint = image.with_suffix(".check")
    mountpoint.mkdir()
    flags = kernel.MS_RDONLY | kernel.MS_NODEV | kernel.MS_NOSUID
    with loop_device(image, read_only=True) as device, mounted(str(device), mountpoint, "squashfs", flags):
        checks.holds(image.stem, mountpoint, inventory.without(_ACLS), top)
    mountpoint.rmdir()
