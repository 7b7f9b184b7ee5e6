"""The lines that a disk's partitions have in fstab, and those of others."""

from __future__ import annotations

from pathlib import Path

import pytest

from fuel_image.tree import fstab
from fuel_image.tree.root import Tree
from tests.unit.tree.disks import BOOT, ESP, ROOT, SWAP, divided, plain

PLAIN = f"UUID={ROOT} / ext4 errors=remount-ro 0 1\nUUID={ESP} /boot/efi vfat umask=0077 0 2\n"


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    (tmp_path / "etc").mkdir()
    return Tree(tmp_path)


def test_every_partition_by_its_uuid_and_those_above_first(tree: Tree) -> None:
    fstab.write(tree, divided("xfs"))
    assert tree.read("/etc/fstab").splitlines() == [
        f"UUID={ROOT} / xfs defaults 0 0",
        f"UUID={BOOT} /boot ext2 defaults 0 2",
        f"UUID={ESP} /boot/efi vfat umask=0077 0 2",
        f"UUID={SWAP} none swap sw 0 0",
    ]


@pytest.mark.parametrize(
    ("before", "kept"),
    [
        ("# UNCONFIGURED FSTAB FOR BASE SYSTEM\n", ""),
        ("", ""),
        ("LABEL=old / ext4 defaults 0 1\n", ""),
        ("# mine\n\ntmpfs /tmp tmpfs size=1g 0 0", "# mine\n\ntmpfs /tmp tmpfs size=1g 0 0\n"),
        ("n:/srv /boot/efi/x nfs ro 0 0\nx /boot/efi vfat ro 0 0\n", "n:/srv /boot/efi/x nfs ro 0 0\n"),
        (PLAIN, ""),
    ],
)
def test_what_others_wrote_for_other_mount_points_stays(tree: Tree, before: str, kept: str) -> None:
    tree.write("/etc/fstab", before)
    fstab.write(tree, plain())
    assert tree.read("/etc/fstab") == PLAIN + kept
