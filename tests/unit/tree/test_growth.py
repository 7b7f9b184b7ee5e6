"""The unit by which a file system grows."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fuel_image.tree import growth
from fuel_image.tree.root import Tree
from tests.unit.tree.disks import divided, plain

WANTED = "/etc/systemd/system/multi-user.target.wants/grow-file-system.service"


@pytest.mark.parametrize(
    ("kind", "command"),
    [
        ("ext4", 'resize2fs "$device"'),
        ("xfs", 'xfs_growfs "$mount"'),
        ("btrfs", 'btrfs filesystem resize max "$mount"'),
    ],
)
def test_a_file_system_grows_by_its_own_program(kind: str, command: str, tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    growth.install(tree, divided(kind))
    script = tree.read("/usr/lib/fuel-image/grow")
    assert f"\n{command} || true\n" in script
    assert "\nmount=/\n" in script
    assert (tmp_path / "usr/lib/fuel-image/grow").stat().st_mode & 0o777 == 0o755
    unit = os.readlink(tmp_path / WANTED.lstrip("/"))
    assert "ExecStart=/usr/lib/fuel-image/grow\n" in tree.read(unit)


def test_installing_it_twice_is_no_error(tmp_path: Path) -> None:
    for _ in range(2):
        growth.install(Tree(tmp_path), plain())


def test_nothing_is_there_where_nothing_grows(tmp_path: Path) -> None:
    growth.install(Tree(tmp_path), plain(grow=False))
    assert list(tmp_path.iterdir()) == []
