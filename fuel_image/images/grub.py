"""GRUB's first two stages, put where a BIOS finds them.

Owns what grub-install's setup does to a disk (GRUB's util/setup.c), on a file: boot.img becomes the first sector, and
core.img lies where nothing else does. It must not know how the two are made.
"""

from __future__ import annotations

import struct
from pathlib import Path

from fuel_image.errors import BuildError
from fuel_image.images.table import SECTOR_BYTES

_KERNEL_SECTOR = 0x5C
"""Where boot.img keeps the sector of core.img, in 8 bytes."""
_DRIVE_CHECK = 0x66
_NO_CHECK = b"\x90\x90"
"""No jump: some BIOSes give the number of a floppy disk when they boot from a hard disk."""
_TABLE = slice(0x1B8, 0x200)
"""What of the first sector is the partition table's."""
_BLOCK_LIST = SECTOR_BYTES - 12
"""Where the first sector of core.img keeps the place of the rest, the last entry of a list that grows downwards."""


def install(disk: Path, boot: bytes, core: bytes, start_bytes: int, room_bytes: int) -> None:
    """Put *boot* and *core* into the file *disk*, the latter at *start_bytes*, where *room_bytes* are free for it.

    Raises BuildError.
    """
    if len(boot) != SECTOR_BYTES or len(core) <= SECTOR_BYTES:
        message = f"boot.img has {len(boot):,} bytes and core.img {len(core):,}: they are none of GRUB's"
        raise BuildError(f"installing GRUB: {message}")
    if len(core) > room_bytes:
        raise BuildError(f"installing GRUB: its core has {len(core):,} bytes, and there is room for {room_bytes:,}")
    sector = start_bytes // SECTOR_BYTES
    with disk.open("r+b") as file:
        first = bytearray(boot)
        struct.pack_into("<Q", first, _KERNEL_SECTOR, sector)
        first[_DRIVE_CHECK : _DRIVE_CHECK + len(_NO_CHECK)] = _NO_CHECK
        first[_TABLE] = file.read(SECTOR_BYTES)[_TABLE]
        second = bytearray(core)
        rest = -(-len(core) // SECTOR_BYTES) - 1
        struct.pack_into("<QH", second, _BLOCK_LIST, sector + 1, rest)
        file.seek(0)
        file.write(first)
        file.seek(start_bytes)
        file.write(second)
