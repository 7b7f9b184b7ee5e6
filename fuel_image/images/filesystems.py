"""File systems: how each kind is made and checked.

Owns the table FILESYSTEMS: one row for each kind, whose parts are data where they can be. It must not know what goes
into a file system, or start anything: the modules beside it do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Filesystem:
    """A kind of file system.

    *tools* are the host programs that it takes. *populated* means that mkfs fills it from a directory (mke2fs -d);
    the others are filled through a mount. *features* are those of the ext family for kernels before MODERN_LINUX, and
    *modern_features* for later ones, where they differ. *smallest_bytes* is what mkfs asks for at least.
    """

    tools: tuple[str, ...]
    label_limit_bytes: int
    populated: bool
    features: tuple[str, ...] = ()
    modern_features: tuple[str, ...] = ()
    smallest_bytes: int = 1 << 20
    mount_options: str = ""


# Listed in full, so that the build host's mke2fs.conf has no say: a node's e2fsck and GRUB must know every one of them.
# Never metadata_csum_seed or orphan_file: GRUB before 2.12 and e2fsck before 1.47 refuse them.
_EXT2 = ("ext_attr", "resize_inode", "dir_index", "filetype", "sparse_super", "large_file")
_EXT3 = (*_EXT2, "has_journal")
_EXT4 = (*_EXT3, "extent", "flex_bg", "huge_file", "dir_nlink", "extra_isize")
_EXT_TOOLS = ("setpriv", "mke2fs", "e2fsck", "debugfs", "dumpe2fs")
_EXT_LABEL_BYTES = 16
MODERN_LINUX = (4, 15)
"""From bionic on, a release's own e2fsck, kernel and GRUB know 64bit and metadata_csum (e2fsprogs 1.43)."""

FILESYSTEMS: Mapping[str, Filesystem] = {
    "ext2": Filesystem(_EXT_TOOLS, _EXT_LABEL_BYTES, populated=True, features=_EXT2),
    "ext3": Filesystem(_EXT_TOOLS, _EXT_LABEL_BYTES, populated=True, features=_EXT3, mount_options="noload"),
    "ext4": Filesystem(
        _EXT_TOOLS,
        _EXT_LABEL_BYTES,
        populated=True,
        features=(*_EXT4, "uninit_bg"),
        modern_features=(*_EXT4, "64bit", "metadata_csum"),
        mount_options="noload",
    ),
    "xfs": Filesystem(
        ("mkfs.xfs", "xfs_repair", "cp"),
        12,
        populated=False,
        smallest_bytes=300 << 20,
        mount_options="norecovery,nouuid",
    ),
    "btrfs": Filesystem(("mkfs.btrfs", "btrfs", "cp"), 255, populated=False, smallest_bytes=128 << 20),
}


def ext_features(kind: str, linux: tuple[int, int]) -> tuple[str, ...]:
    """Return the features of an ext file system that a release with the kernel *linux* can read."""
    row = FILESYSTEMS[kind]
    return row.modern_features if row.modern_features and linux >= MODERN_LINUX else row.features
