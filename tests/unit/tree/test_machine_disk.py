"""What a tree is told of the disk that it will boot from."""

from __future__ import annotations

from pathlib import Path

import pytest

from fuel_image.errors import BuildError
from fuel_image.tree import bootloader, fstab, growth
from fuel_image.tree.machine_disk import MachineDisk, MachinePartition
from fuel_image.tree.root import Tree

DISK = MachineDisk(
    "gpt",
    ("bios", "uefi"),
    (
        MachinePartition(1, "vfat", "AAAA-BBBB", "/boot/efi", grow=False),
        MachinePartition(2, "ext2", "uuid-of-boot", "/boot", grow=False),
        MachinePartition(3, "xfs", "uuid-of-root", "/", grow=True),
        MachinePartition(4, "swap", "uuid-of-swap", None, grow=False),
    ),
)


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    tree = Tree(tmp_path)
    for directory in ("/etc/systemd/system", "/boot", "/usr/sbin"):
        tree.mkdir(directory)
    return tree


@pytest.mark.parametrize(
    ("path", "number", "place"),
    [("/", 3, "/"), ("/etc/x", 3, "/etc/x"), ("/boot/grub", 2, "/grub"), ("/boot", 2, "/"), ("/bootx", 3, "/bootx"),
     ("/boot/efi/EFI/a", 1, "/EFI/a")],
)  # fmt: skip
def test_where_a_path_lies(path: str, number: int, place: str) -> None:
    assert (DISK.holding(path).number, DISK.place(path)) == (number, place)


def test_fstab(tree: Tree) -> None:
    tree.write("/etc/fstab", "# UNCONFIGURED FSTAB FOR BASE SYSTEM\n/dev/sda1 / ext4 defaults 0 1\ntmpfs /x tmpfs\n")
    fstab.write(tree, DISK)
    assert tree.read("/etc/fstab") == (
        "UUID=uuid-of-root / xfs defaults 0 0\n"
        "UUID=uuid-of-boot /boot ext2 errors=remount-ro 0 2\n"
        "UUID=AAAA-BBBB /boot/efi vfat umask=0077 0 2\n"
        "UUID=uuid-of-swap none swap sw 0 0\n"
        "tmpfs /x tmpfs\n"
    )


def test_only_what_grows_gets_a_unit(tree: Tree) -> None:
    growth.install(tree, MachineDisk("mbr", ("bios",), DISK.partitions[:2]))
    assert tree.names("/etc/systemd/system") == []
    growth.install(tree, DISK)
    assert 'xfs_growfs "$mount"' in tree.read("/usr/lib/fuel-image/grow")
    assert "RequiresMountsFor=/ " in tree.read("/etc/systemd/system/grow-file-system.service")


@pytest.mark.parametrize(
    ("firmwares", "wishes", "wanted"),
    [
        (("bios",), (), ("grub-pc", "grub2-common")),
        (("bios",), ("grub-pc",), ("grub2-common",)),
        (("bios", "uefi"), ("grub-efi-amd64",), ("grub-pc-bin", "grub-efi-amd64-bin", "grub-efi-amd64-signed",
                                                 "shim-signed", "grub2-common")),
        (("uefi",), (), ("grub-efi-amd64", "grub-efi-amd64-bin", "grub-efi-amd64-signed", "shim-signed",
                         "grub2-common")),
    ],
)  # fmt: skip
def test_packages_that_a_disk_takes(
    firmwares: tuple[str, ...], wishes: tuple[str, ...], wanted: tuple[str, ...]
) -> None:
    assert bootloader.packages(firmwares, wishes) == wanted


def test_a_tree_that_cannot_boot_is_told_everything_that_it_lacks(tree: Tree) -> None:
    with pytest.raises(BuildError) as caught:
        bootloader._check(tree, DISK.firmwares)
    for package in ("linux-image-...", "grub-common", "grub-pc-bin", "shim-signed and grub-efi-amd64-signed"):
        assert package in caught.value.message


def test_a_kernel_without_an_initial_ram_disk(tree: Tree) -> None:
    tree.write("/boot/vmlinuz-1", "")
    with pytest.raises(BuildError, match="initramfs-tools"):
        bootloader._check(tree, ())
