"""File systems of the ext family, made from a directory.

Owns their geometry and the making: mke2fs -d fills them without a mount and without the host's kernel, and the same
tree gives the same bytes. It must not decide what goes in.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fuel_image.errors import BuildError, CommandError
from fuel_image.host.command import run
from fuel_image.images import inodes
from fuel_image.images.contents import Inventory

BLOCK_BYTES = 4096
_BLOCKS_PER_GROUP = 8 * BLOCK_BYTES
_INODE_BYTES = 256
_BYTES_PER_INODE = 16384
_POINTERS_PER_BLOCK = BLOCK_BYTES // 4
_DIRECT_BLOCKS = 12
_GROWS_TO_BLOCKS = (8 << 40) // BLOCK_BYTES
"""A node may grow the file system to 8 TiB; group descriptors for that are reserved (LP1459665)."""
_LARGE_BYTES = 256 << 20
_LARGE_JOURNAL_BYTES = 64 << 20
_SMALL_JOURNAL_BYTES = 8 << 20
_ATTEMPTS = 4
_GROWTH = 1.15
_TOO_SMALL = ("Could not allocate", "No space", "journal size too big")
"""What mke2fs says when the size does not do."""
_WITHOUT_SYS_ADMIN = ("setpriv", "--bounding-set=-sys_admin")
"""Who has it is told of every ACL in a tree on xfs a second time, as trusted.SGI_ACL_FILE, and would copy both.

No package's script has it either, so that there are no other trusted attributes.
"""


@dataclass(frozen=True)
class Geometry:
    """The size of a file system and of what is in it besides content."""

    blocks: int
    inodes: int
    journal_bytes: int


def fixed_geometry(inventory: Inventory, features: Sequence[str], size_bytes: int) -> Geometry:
    """Compute the parts of a file system of exactly *size_bytes*. Raises BuildError if *inventory* does not fit."""
    least = geometry(inventory, features, 0)
    if least.blocks * BLOCK_BYTES > size_bytes:
        message = f"its content takes {least.blocks * BLOCK_BYTES >> 20:,} MiB, and it has {size_bytes >> 20:,}"
        raise BuildError(f"making a file system: {message}", advice="give the partition a larger size")
    inodes = max(size_bytes // _BYTES_PER_INODE, least.inodes)
    return Geometry(size_bytes // BLOCK_BYTES, inodes, least.journal_bytes)


def geometry(inventory: Inventory, features: Sequence[str], reserve_bytes: int) -> Geometry:
    """Compute the size of a file system that holds *inventory* and leaves *reserve_bytes* free."""
    content = _content_blocks(inventory, extents="extent" in features)
    journal = 0
    if "has_journal" in features:
        journal = _LARGE_JOURNAL_BYTES if content * BLOCK_BYTES > _LARGE_BYTES else _SMALL_JOURNAL_BYTES
    wanted = content + math.ceil((reserve_bytes + journal) / BLOCK_BYTES)
    blocks = wanted
    inodes = inventory.inodes
    for _ in range(4):  # the overhead depends on the size, which it is part of: this settles at once
        inodes = max(blocks * BLOCK_BYTES // _BYTES_PER_INODE, inventory.inodes + inventory.inodes // 8 + 64)
        blocks = wanted + _overhead_blocks(blocks, inodes, features)
    return Geometry(blocks, inodes, journal)


def _content_blocks(inventory: Inventory, *, extents: bool) -> int:
    files = [math.ceil(size / BLOCK_BYTES) for size in inventory.file_bytes]
    # Packing wastes up to an entry at the end of each block of names.
    names = sum(max(1, math.ceil(size / (BLOCK_BYTES - 64))) for size in inventory.directory_bytes)
    maps = 0 if extents else sum(_map_blocks(blocks) for blocks in files)
    lost_and_found = 4
    return sum(files) + names + maps + inventory.long_links + lost_and_found


def _map_blocks(blocks: int) -> int:
    """Return how many blocks of pointers a file of *blocks* needs without extents (ext2: indirect, double indirect)."""
    if blocks <= _DIRECT_BLOCKS:
        return 0
    indirect = math.ceil((blocks - _DIRECT_BLOCKS) / _POINTERS_PER_BLOCK)
    return indirect + (1 if indirect > 1 else 0)


def _overhead_blocks(blocks: int, inodes: int, features: Sequence[str]) -> int:
    groups = math.ceil(blocks / _BLOCKS_PER_GROUP)
    descriptors_per_block = BLOCK_BYTES // (64 if "64bit" in features else 32)
    descriptors = math.ceil(groups / descriptors_per_block)
    reserved = min(
        math.ceil(math.ceil(_GROWS_TO_BLOCKS / _BLOCKS_PER_GROUP) / descriptors_per_block), _POINTERS_PER_BLOCK
    )
    copies = sum(1 for group in range(groups) if _holds_superblock(group))
    tables = groups * math.ceil(math.ceil(inodes / groups) * _INODE_BYTES / BLOCK_BYTES + 1)
    return copies * (1 + descriptors + reserved) + 2 * groups + tables


def _holds_superblock(group: int) -> bool:
    """sparse_super: groups 0 and 1 and the powers of 3, 5 and 7 hold a copy."""
    if group <= 1:
        return True
    for base in (3, 5, 7):
        power = base
        while power < group:
            power *= base
        if power == group:
            return True
    return False


def make(
    image: Path,
    top: Path,
    inventory: Inventory,
    *,
    features: Sequence[str],
    label: str | None,
    uuid: str,
    reserve_bytes: int,
    epoch: int,
    size_bytes: int | None = None,
    start_bytes: int = 0,
) -> None:
    """Make the file system of the tree at *top* in the file *image*; a time stamp that is not the tree's is *epoch*.

    It is as large as its content and the reserve. Or it has exactly *size_bytes*, and *image* is there already, as a
    disk on which it begins at *start_bytes*. Raises BuildError, of which CommandError is one. If the computed size is
    too small after all, a larger one is tried.
    """
    if size_bytes is not None:
        fixed = fixed_geometry(inventory, features, size_bytes)
        _mke2fs(image, top, fixed, features, label, uuid, epoch, start_bytes)
        inodes.settle(image, inventory, epoch, start_bytes)
        return
    for attempt in range(_ATTEMPTS):
        size = geometry(inventory, features, int(reserve_bytes * _GROWTH**attempt))
        image.unlink(missing_ok=True)
        try:
            _mke2fs(image, top, size, features, label, uuid, epoch)
            break
        except CommandError as error:
            full = any(said in line for said in _TOO_SMALL for line in error.tail)
            if not full or attempt + 1 == _ATTEMPTS:
                raise
            reserve_bytes += 64 << 20
    inodes.settle(image, inventory, epoch)


def _mke2fs(
    image: Path,
    top: Path,
    size: Geometry,
    features: Sequence[str],
    label: str | None,
    uuid: str,
    epoch: int,
    start_bytes: int = 0,
) -> None:
    extended = f"hash_seed={uuid},resize={_GROWS_TO_BLOCKS},lazy_itable_init=0,lazy_journal_init=0,root_owner=0:0"
    extended += f",offset={start_bytes}"
    arguments = [
        "-q",
        "-F",
        "-b", str(BLOCK_BYTES),
        "-I", str(_INODE_BYTES),
        "-N", str(size.inodes),
        "-O", ",".join(["none", *features]),
        "-U", uuid,
        "-E", extended,
        "-d", str(top),
    ]  # fmt: skip
    if label:
        arguments += ["-L", label]
    if size.journal_bytes:
        arguments += ["-J", f"size={size.journal_bytes >> 20}"]
    run(
        *_WITHOUT_SYS_ADMIN,
        "mke2fs",
        *arguments,
        image,
        str(size.blocks),
        doing=f"making the file system {image.name}",
        env=inodes.environment(epoch),
    )
