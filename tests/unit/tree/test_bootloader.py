"""GRUB's files in a tree, with programs of the tree that only note how they were called."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from fuel_image.errors import BuildError
from fuel_image.tree import bootloader
from fuel_image.tree.chroot import Chroot
from fuel_image.tree.machine_disk import MachineDisk
from fuel_image.tree.root import Tree
from tests.unit.tree.disks import BOOT, ROOT, divided, plain

COMMON = ["boot/vmlinuz-6.1", "boot/initrd.img-6.1", "usr/sbin/grub-mkconfig", "usr/share/grub/unicode.pf2"]
BIOS = [f"usr/lib/grub/i386-pc/{name}" for name in ("boot.img", "ext2.mod", "moddep.lst", "kernel.img")]
UEFI = [f"usr/lib/grub/x86_64-efi/{name}" for name in ("ext2.mod", "moddep.lst", "kernel.img")]
GRUB = "usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed"
SHIM = "usr/lib/shim"
SIGNED = [GRUB, f"{SHIM}/shimx64.efi.signed"]


class Noting(Chroot):
    """A chroot whose grub-mkimage makes a file of a few bytes."""

    ran: list[tuple[str, ...]]

    def run(self, *argv: str, **_: Any) -> Any:
        self.ran.append(argv)
        (output,) = (one.partition("=")[2] for one in argv if one.startswith("--output="))
        self.tree.write(output, "made")


@pytest.fixture
def chroot(tmp_path: Path) -> Noting:
    (tmp_path / "run").mkdir()
    fake = Noting(Tree(tmp_path), 60)
    object.__setattr__(fake, "ran", [])
    return fake


def brought(tree: Tree, paths: Sequence[str]) -> None:
    for path in paths:
        tree.mkdir(f"/{path.rpartition('/')[0]}")
        tree.write(f"/{path}", path)


def made(tree: Tree, top: str) -> dict[str, str]:
    """Return what is in the files below *top*, by their paths there."""
    return {path[len(top) + 1 :]: tree.read(path) for path in tree.walk_files(top)}


@pytest.mark.parametrize(
    ("there", "firmwares", "lacks"),
    [
        ([], ("bios", "uefi"), ["linux-image-", "grub-common", "grub-pc-bin", "shim-signed and grub-efi-amd64-signed"]),
        (["boot/vmlinuz-6.1", *COMMON[2:], *BIOS], ("bios",), ["initramfs-tools"]),
        ([*COMMON, *UEFI], ("bios",), ["grub-pc-bin"]),
        ([*COMMON, *BIOS, GRUB], ("bios", "uefi"), ["shim-signed"]),
        ([*COMMON, *BIOS, SIGNED[1]], ("uefi",), ["grub-efi-amd64-signed"]),
    ],
)
def test_what_lacks_is_named(chroot: Noting, there: list[str], firmwares: tuple[str, ...], lacks: list[str]) -> None:
    brought(chroot.tree, there)
    with pytest.raises(BuildError, match="the tree lacks") as caught:
        bootloader.install(chroot, plain(firmwares=firmwares), "ubuntu")
    assert [one for one in lacks if one not in str(caught.value)] == []
    assert caught.value.advice == "add the packages"
    assert chroot.ran == []


@pytest.mark.parametrize(
    ("disk", "prefix", "modules", "early"),
    [
        (plain(), "/boot/grub", "part_gpt ext2", f"search.fs_uuid {ROOT} root\nset prefix=($root)'/boot/grub'\n"),
        (divided(table="mbr"), "/grub", "part_msdos ext2", f"search.fs_uuid {BOOT} root\nset prefix=($root)'/grub'\n"),
    ],
)
def test_a_bios_finds_the_file_system_that_holds_grub(
    chroot: Noting, disk: MachineDisk, prefix: str, modules: str, early: str
) -> None:
    brought(chroot.tree, [*COMMON, *BIOS, *SIGNED])
    bootloader.install(chroot, disk, "debian")
    (argv,) = chroot.ran
    assert f"--prefix={prefix}" in argv
    assert " ".join(argv).endswith(f"biosdisk {modules} search_fs_uuid")
    (config,) = (one.partition("=")[2] for one in argv if one.startswith("--config="))
    assert chroot.tree.read(config) == early
    left = made(chroot.tree, "/boot/grub")
    assert sorted(left) == [
        "fonts/unicode.pf2",
        *(f"i386-pc/{n}" for n in ("boot.img", "core.img", "ext2.mod", "moddep.lst")),
    ]
    assert chroot.tree.read("/boot/efi/EFI/debian/grub.cfg") == f"{early}configfile $prefix/grub.cfg\n"


@pytest.mark.parametrize(
    ("shims", "taken"),
    [
        (["shim.efi.signed"], "shim.efi.signed"),
        (["shimx64.efi.signed"], "shimx64.efi.signed"),
        (["shimx64.efi.signed", "shimx64.efi.dualsigned"], "shimx64.efi.dualsigned"),
        (["shimx64.efi.signed.previous", "shimx64.efi.signed.latest"], "shimx64.efi.signed.latest"),
    ],
)
def test_the_signed_chain_under_the_names_of_every_release(chroot: Noting, shims: list[str], taken: str) -> None:
    brought(
        chroot.tree, [*COMMON, *UEFI, GRUB, *(f"{SHIM}/{one}" for one in (*shims, "mmx64.efi", "fbx64.efi.signed"))]
    )
    bootloader.install(chroot, plain(firmwares=("uefi",)), "ubuntu")
    found = made(chroot.tree, "/boot/efi/EFI")
    entry, config = found.pop("ubuntu/BOOTX64.CSV"), found.pop("ubuntu/grub.cfg")
    shim, other = f"{SHIM}/{taken}", f"{SHIM}/mmx64.efi"
    assert found == {
        "ubuntu/shimx64.efi": shim,
        "ubuntu/grubx64.efi": GRUB,
        "ubuntu/mmx64.efi": other,
        "BOOT/BOOTX64.EFI": shim,
        "BOOT/grubx64.efi": GRUB,
        "BOOT/mmx64.efi": other,
        "BOOT/fbx64.efi": f"{SHIM}/fbx64.efi.signed",
    }
    raw = entry.encode("utf-8", "surrogateescape")
    assert raw.decode("utf-16") == "shimx64.efi,ubuntu,,This is the boot entry for ubuntu\n"
    assert raw.startswith(b"\xff\xfe")
    assert config.startswith(f"search.fs_uuid {ROOT} root\n")
    assert "x86_64-efi/ext2.mod" in made(chroot.tree, "/boot/grub")
    assert chroot.ran == []


def test_a_program_of_our_own_where_nothing_is_signed(chroot: Noting) -> None:
    brought(chroot.tree, [*COMMON, *UEFI])
    bootloader.install(chroot, plain(firmwares=("uefi",)), "debian")
    found = made(chroot.tree, "/boot/efi/EFI")
    del found["debian/grub.cfg"]
    assert found == {"debian/grubx64.efi": "made", "BOOT/BOOTX64.EFI": "made"}
    (argv,) = chroot.ran
    assert "--format=x86_64-efi" in argv
    assert "--prefix=/EFI/debian" in argv
    assert {"fat", "part_gpt", "ext2", "search_fs_uuid", "normal", "configfile"} <= set(argv)


@pytest.mark.parametrize(
    ("firmwares", "wishes", "wanted"),
    [
        (("bios", "uefi"), (), ["grub-pc", "grub-efi-amd64-bin", "grub-efi-amd64-signed", "shim-signed"]),
        (("bios",), ("grub-pc",), []),
        (("bios",), ("grub-efi-amd64",), ["grub-pc-bin"]),
        (("uefi",), ("grub-pc",), ["grub-efi-amd64-bin", "grub-efi-amd64-signed", "shim-signed"]),
        (("uefi",), ("shim-signed",), ["grub-efi-amd64", "grub-efi-amd64-bin", "grub-efi-amd64-signed"]),
    ],
)
def test_packages_that_firmwares_take(firmwares: tuple[str, ...], wishes: tuple[str, ...], wanted: list[str]) -> None:
    assert bootloader.packages(firmwares, wishes) == (*wanted, "grub2-common")
