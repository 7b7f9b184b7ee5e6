"""Which partition a path of the tree lies on."""

from __future__ import annotations

import pytest

from fuel_image.tree.machine_disk import MachineDisk
from tests.unit.tree.disks import BOOT, ESP, ROOT, divided, plain


@pytest.mark.parametrize(
    ("disk", "path", "uuid", "place"),
    [
        (plain(), "/boot/grub", ROOT, "/boot/grub"),
        (plain(), "/boot/efi", ESP, "/"),
        (divided(), "/boot/grub", BOOT, "/grub"),
        (divided(), "/boot", BOOT, "/"),
        (divided(), "/boot/efi/EFI/BOOT", ESP, "/EFI/BOOT"),
        (divided(), "/boots", ROOT, "/boots"),
        (divided(), "/", ROOT, "/"),
    ],
)
def test_a_path_lies_on_the_deepest_mount_point_above_it(disk: MachineDisk, path: str, uuid: str, place: str) -> None:
    assert (disk.holding(path).uuid, disk.place(path)) == (uuid, place)
