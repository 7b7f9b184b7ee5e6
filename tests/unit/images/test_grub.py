"""GRUB's first stages on a disk, as its setup would have put them there."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from fuel_image.errors import BuildError
from fuel_image.images import grub

BOOT = bytes(range(256)) * 2
CORE = b"c" * 512 * 3 + b"d"


def test_the_stages_find_each_other_and_the_table_stays(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.write_bytes(b"t" * 512 + bytes(1 << 16))
    grub.install(disk, BOOT, CORE, 8 * 512, 1 << 14)
    first, core = disk.read_bytes()[:512], disk.read_bytes()[8 * 512 : 8 * 512 + len(CORE)]
    assert struct.unpack_from("<Q", first, 0x5C) == (8,)
    assert first[0x66:0x68] == b"\x90\x90"
    assert first[0x1B8:] == b"t" * 72
    assert first[:0x5C] == BOOT[:0x5C] and first[0x68:0x1B8] == BOOT[0x68:0x1B8]
    assert struct.unpack_from("<QH", core, 500) == (9, 3)
    assert core[512:] == CORE[512:] and core[:500] == CORE[:500]


def test_a_core_that_is_too_large(tmp_path: Path) -> None:
    (tmp_path / "disk").write_bytes(bytes(4096))
    with pytest.raises(BuildError, match="its core has 1,537 bytes, and there is room for 1,024"):
        grub.install(tmp_path / "disk", BOOT, CORE, 512, 1024)
    assert (tmp_path / "disk").read_bytes() == bytes(4096)
