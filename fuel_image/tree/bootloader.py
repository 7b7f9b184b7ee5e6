"""GRUB in a tree, for a disk that is not there yet.

Owns what grub-install would have left: GRUB's modules, its first two stages for a BIOS as files, and what lies in the
EFI system partition. Nothing of the host, its firmware or its disks is asked or changed. It must not touch a disk: who
makes one puts the first stages where they belong.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fuel_image.errors import BuildError
from fuel_image.outputs.asked import ESP_MOUNT
from fuel_image.tree.chroot import Chroot
from fuel_image.tree.grub_config import FILESYSTEM_MODULES, GRUB, PARTITION_MAPS
from fuel_image.tree.machine_disk import MachineDisk
from fuel_image.tree.root import Tree

BIOS_DIRECTORY = f"{GRUB}/i386-pc"
BOOT_IMAGE, CORE_IMAGE = f"{BIOS_DIRECTORY}/boot.img", f"{BIOS_DIRECTORY}/core.img"
_OF_BIOS, _OF_UEFI = "/usr/lib/grub/i386-pc", "/usr/lib/grub/x86_64-efi"
_EARLY = "/run/grub-early.cfg"
_MADE = "/run/grub.efi"
_FONT = "/usr/share/grub/unicode.pf2"
_MODULE_ENDINGS = (".mod", ".lst")
_UNSIGNED_MODULES = (
    "normal",
    "configfile",
    "linux",
    "search",
    "search_fs_uuid",
    "echo",
    "test",
    "all_video",
    "gfxterm",
)


@dataclass(frozen=True)
class _Signed:
    """A program of the signed chain: its *name* in the EFI system partition, and where releases have it in the tree."""

    name: str
    sources: tuple[str, ...]
    vendor: bool = True
    fallback: str | None = None


_SHIM = "/usr/lib/shim"
_CHAIN = (
    _Signed(
        "shimx64.efi",
        tuple(
            f"{_SHIM}/{name}"
            for name in ("shimx64.efi.signed.latest", "shimx64.efi.dualsigned", "shimx64.efi.signed", "shim.efi.signed")
        ),
        fallback="BOOTX64.EFI",
    ),
    _Signed("grubx64.efi", ("/usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed",), fallback="grubx64.efi"),
    _Signed("mmx64.efi", (f"{_SHIM}/mmx64.efi.signed", f"{_SHIM}/mmx64.efi"), fallback="mmx64.efi"),
    # It makes the firmware's boot entries from BOOTX64.CSV, and then goes on.
    _Signed("fbx64.efi", (f"{_SHIM}/fbx64.efi.signed", f"{_SHIM}/fbx64.efi"), vendor=False, fallback="fbx64.efi"),
)
_NEEDED = 2
"""Without the first two of them nothing boots; the others came with later releases."""


def install(chroot: Chroot, disk: MachineDisk, vendor: str) -> None:
    """Put GRUB into the tree for the firmwares of *disk*; *vendor* names its directory in the EFI system partition.

    Raises BuildError that names the packages that lack.
    """
    _check(chroot.tree, disk.firmwares)
    _copy(chroot.tree, _FONT, f"{GRUB}/fonts/unicode.pf2")
    chroot.tree.write(_EARLY, _early(disk))
    if "bios" in disk.firmwares:
        _for_bios(chroot, disk)
    if "uefi" in disk.firmwares:
        _for_uefi(chroot, disk, vendor)


def _check(tree: Tree, firmwares: Sequence[str]) -> None:
    lacks = []
    if not any(name.startswith("vmlinuz") for name in tree.names("/boot")):
        lacks.append("a kernel (linux-image-...)")
    elif not any(name.startswith("initrd") for name in tree.names("/boot")):
        lacks.append("an initial RAM disk (initramfs-tools)")
    if not tree.exists("/usr/sbin/grub-mkconfig"):
        lacks.append("GRUB (grub-common)")
    if "bios" in firmwares and not tree.exists(f"{_OF_BIOS}/boot.img"):
        lacks.append("GRUB for a BIOS (grub-pc-bin)")
    if "uefi" in firmwares and not _is_signed(tree) and not tree.exists(f"{_OF_UEFI}/moddep.lst"):
        lacks.append("GRUB for UEFI (shim-signed and grub-efi-amd64-signed, or grub-efi-amd64-bin)")
    if lacks:
        raise BuildError(f"making a disk that boots: the tree lacks {', '.join(lacks)}", advice="add the packages")


def _early(disk: MachineDisk) -> str:
    """Return the commands by which a GRUB that has just started finds the rest of itself."""
    return f"search.fs_uuid {disk.holding(GRUB).uuid} root\nset prefix=($root)'{disk.place(GRUB)}'\n"


def _copy(tree: Tree, source: str, target: str) -> None:
    tree.mkdir(target.rpartition("/")[0])
    with tree.reading(source) as reading, tree.writing(target) as writing:
        while chunk := reading.read(1 << 20):
            writing.write(chunk)


def _copy_modules(tree: Tree, source: str, target: str) -> None:
    for name in tree.names(source):
        if name.endswith(_MODULE_ENDINGS):
            _copy(tree, f"{source}/{name}", f"{target}/{name}")


def _drivers(disk: MachineDisk) -> list[str]:
    return [f"part_{PARTITION_MAPS[disk.table]}", FILESYSTEM_MODULES[disk.holding(GRUB).format], "search_fs_uuid"]


def _for_bios(chroot: Chroot, disk: MachineDisk) -> None:
    _copy_modules(chroot.tree, _OF_BIOS, BIOS_DIRECTORY)
    _copy(chroot.tree, f"{_OF_BIOS}/boot.img", BOOT_IMAGE)
    chroot.run(
        *("grub-mkimage", "--format=i386-pc", f"--output={CORE_IMAGE}", f"--prefix={disk.place(GRUB)}"),
        *(f"--config={_EARLY}", "biosdisk", *_drivers(disk)),
        doing="making GRUB's core for a BIOS",
    )


def _is_signed(tree: Tree) -> bool:
    return all(_source(tree, one) for one in _CHAIN[:_NEEDED])


def _source(tree: Tree, program: _Signed) -> str | None:
    return next((source for source in program.sources if tree.exists(source)), None)


def _for_uefi(chroot: Chroot, disk: MachineDisk, vendor: str) -> None:
    tree = chroot.tree
    own, fallback = f"{ESP_MOUNT}/EFI/{vendor}", f"{ESP_MOUNT}/EFI/BOOT"
    # A signed GRUB, too, loads what it does not hold where Secure Boot is off.
    _copy_modules(tree, _OF_UEFI, f"{GRUB}/x86_64-efi")
    if _is_signed(tree):
        for one in _CHAIN:
            source = _source(tree, one)
            if source is not None and one.vendor:
                _copy(tree, source, f"{own}/{one.name}")
            if source is not None:
                _copy(tree, source, f"{fallback}/{one.fallback}")
        entry = f"shimx64.efi,{vendor},,This is the boot entry for {vendor}\n"
        with tree.writing(f"{own}/BOOTX64.CSV") as file:
            file.write(b"\xff\xfe" + entry.encode("utf-16-le"))  # as shim's fallback.c reads it
    else:
        modules = [*_UNSIGNED_MODULES, "fat", *_drivers(disk)]
        chroot.run(
            *("grub-mkimage", "--format=x86_64-efi", f"--output={_MADE}", f"--prefix=/EFI/{vendor}", *modules),
            doing="making GRUB's program for UEFI",
        )
        _copy(tree, _MADE, f"{own}/grubx64.efi")
        _copy(tree, _MADE, f"{fallback}/BOOTX64.EFI")
    tree.write(f"{own}/grub.cfg", _early(disk) + "configfile $prefix/grub.cfg\n")


def packages(firmwares: Sequence[str], wishes: Sequence[str]) -> tuple[str, ...]:
    """Return the packages, besides those wished for, that a disk takes to boot with *firmwares*.

    ``a|b`` means the first that the repositories hold.
    """
    found = []
    if "bios" in firmwares:
        # grub-pc and grub-efi-amd64 exclude each other; what the two are made of does not.
        found.append("grub-pc-bin" if "grub-efi-amd64" in wishes else "grub-pc")
    elif "grub-pc" not in wishes:
        found.append("grub-efi-amd64")
    if "uefi" in firmwares:
        found += ["grub-efi-amd64-bin", "grub-efi-amd64-signed", "shim-signed"]
    return (*(one for one in found if one not in wishes), "grub2-common")
