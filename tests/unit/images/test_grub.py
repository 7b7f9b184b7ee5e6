"""GRUB's two stages on a disk, as its own setup (util/setup.c) leaves them."""

from __future__ import annotations

from pathlib import Path

import pytest

from fuel_image.errors import BuildError
from fuel_image.images import grub

MIB = 1 << 20
SECTOR = 512


def disk_with_table(tmp_path: Path) -> Path:
    disk = tmp_path / "disk"
    disk.write_bytes(bytes(0x1B8) + bytes(range(1, 71)) + b"\x55\xaa" + bytes(2 * MIB))
    return disk


def test_the_first_sector_finds_the_core_and_keeps_the_table(tmp_path: Path) -> None:
    disk = disk_with_table(tmp_path)
    grub.install(disk, b"\xee" * SECTOR, b"\xcc" * 1300, MIB, MIB)
    first = disk.read_bytes()[:SECTOR]
    assert first[0x5C:0x64] == (2048).to_bytes(8, "little")
    assert first[0x66:0x68] == b"\x90\x90"
    assert first[0x1B8:] == bytes(range(1, 71)) + b"\x55\xaa"
    other = [*range(0x5C), 0x64, 0x65, *range(0x68, 0x1B8)]
    assert {first[place] for place in other} == {0xEE}


def test_the_core_finds_its_other_sectors(tmp_path: Path) -> None:
    disk = disk_with_table(tmp_path)
    grub.install(disk, b"\xee" * SECTOR, b"\xcc" * 1300, MIB, MIB)
    core = disk.read_bytes()[MIB:]
    assert core[0x1F4:0x1FC] == (2049).to_bytes(8, "little")
    assert core[0x1FC:0x1FE] == (2).to_bytes(2, "little")  # 1300 bytes are three sectors
    assert core[:0x1F4] + core[0x1FE:1300] == b"\xcc" * 1290
    assert not any(core[1300:])


def test_a_core_that_fills_its_room_is_put_and_a_larger_one_is_not(tmp_path: Path) -> None:
    disk = disk_with_table(tmp_path)
    before = disk.read_bytes()
    with pytest.raises(BuildError, match="its core has 1,025 bytes, and there is room for 1,024"):
        grub.install(disk, bytes(SECTOR), bytes(1025), SECTOR, 1024)
    assert disk.read_bytes() == before
    grub.install(disk, bytes(SECTOR), bytes(1024), SECTOR, 1024)


@pytest.mark.parametrize(("boot", "core"), [(bytes(511), bytes(1024)), (bytes(512), bytes(512)), (bytes(512), b"")])
def test_what_is_no_grub_is_refused(tmp_path: Path, boot: bytes, core: bytes) -> None:
    disk = disk_with_table(tmp_path)
    before = disk.read_bytes()
    with pytest.raises(BuildError, match="installing GRUB"):
        grub.install(disk, boot, core, MIB, MIB)
    assert disk.read_bytes() == before
