"""What a disk boots from, as it lies on the disk, looked at with other tools than those that made it."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from fuel_image.tree import grub_config
from fuel_image.tree.machine_disk import MachineDisk
from tests.unit.tree.disks import BOOT, ESP, ROOT, divided, plain

from .conftest import Fuel, sample
from .images import output_of

SECTOR_BYTES = 512
KERNELS = {None: "linux-image-cloud-amd64", "noble": "linux-image-virtual"}
PACKAGES = ["systemd-sysv", "udev", "initramfs-tools"]
PARTITIONS = [
    {"mount": "/boot/efi", "format": "vfat", "size": "64MiB"},
    {"mount": "/boot", "format": "ext2", "size": "384MiB"},
    {"format": "swap", "size": "32MiB"},
    {"mount": "/", "format": "ext4", "grow": True},
]
MOUNTS = ("/boot/efi", "/boot", None, "/")
CONSOLES = "console=tty0 console=ttyS0,115200n8"


@dataclass(frozen=True)
class Disk:
    """A raw disk: the UUIDs of its file systems by mount point, and where these are in the tree that they make up."""

    vendor: str
    uuids: dict[str | None, str]
    tree: Path

    @property
    def efi(self) -> Path:
        return self.tree.parent / "esp" / "EFI"

    def read(self, path: str) -> str:
        return (self.tree / path.lstrip("/")).read_text()


@pytest.fixture(scope="module", params=KERNELS, ids=["debian", "noble"])
def disk(request: pytest.FixtureRequest, fuel: Fuel, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Disk]:
    place = tmp_path_factory.mktemp("disk")
    asked = {"uri": "http://127.0.0.1/whole.raw", "format": "raw", "partitions": PARTITIONS}
    packages = [*PACKAGES, KERNELS[request.param]]
    fuel(sample(request.param, place, packages=packages, disks=[asked], kernel_parameters=["quiet"]))
    raw = place / "whole.raw"
    table = json.loads(output_of("sfdisk", "--json", raw))["partitiontable"]["partitions"]
    starts, sizes = (dict(zip(MOUNTS, (one[what] * SECTOR_BYTES for one in table))) for what in ("start", "size"))
    tree = place / "tree"
    tree.mkdir()
    (place / "esp").mkdir()
    subprocess.run(["mcopy", "-s", "-i", f"{raw}@@{starts['/boot/efi']}", "::/EFI", place / "esp"], check=True)
    mounted = []
    try:
        for mount in ("/", "/boot"):
            point = tree / mount.lstrip("/")
            options = f"loop,ro,offset={starts[mount]},sizelimit={sizes[mount]}"
            subprocess.run(["mount", "-o", options, raw, point], check=True)
            mounted.append(point)
        uuids = {
            m: output_of("blkid", "-p", "-O", at, "-o", "value", "-s", "UUID", raw).strip() for m, at in starts.items()
        }
        yield Disk("ubuntu" if request.param else "debian", uuids, tree)
    finally:
        for point in reversed(mounted):
            subprocess.run(["umount", point], check=True)


def test_fstab_names_every_file_system_by_its_uuid(disk: Disk) -> None:
    lines = [line.split() for line in disk.read("/etc/fstab").splitlines()]
    assert {(line[0], line[1]) for line in lines} == {
        (f"UUID={uuid}", mount or "none") for mount, uuid in disk.uuids.items()
    }


def test_the_signed_chain_is_in_the_efi_system_partition(disk: Disk) -> None:
    """With the packages of the release as they are: no program of ours could be started by Secure Boot."""
    chain = {"shimx64.efi": "shim/shimx64.efi*signed*", "grubx64.efi": "grub/x86_64-efi-signed/grubx64.efi.signed"}
    for name, pattern in chain.items():
        for path in (disk.efi / disk.vendor / name, disk.efi / "BOOT" / name.replace("shimx64.efi", "BOOTX64.EFI")):
            # Of noble's shims one is an alternative: a link that leads to the host's /etc from here.
            real = [one for one in disk.tree.glob(f"usr/lib/{pattern}") if not one.is_symlink()]
            assert path.read_bytes() in [one.read_bytes() for one in real]
    assert {path.name.lower() for path in (disk.efi / "BOOT").iterdir()} == {
        *("bootx64.efi", "grubx64.efi", "mmx64.efi", "fbx64.efi")
    }
    entry = (disk.efi / disk.vendor / "BOOTX64.CSV").read_bytes()
    assert entry.decode("utf-16").startswith(f"shimx64.efi,{disk.vendor},,")


def test_the_efi_system_partition_leads_to_the_one_configuration(disk: Disk) -> None:
    first = (disk.efi / disk.vendor / "grub.cfg").read_text()
    assert f"search.fs_uuid {disk.uuids['/boot']} root" in first
    assert "set prefix=($root)'/grub'" in first


def test_the_configuration_is_one_and_names_what_is_there(disk: Disk) -> None:
    config = disk.read("/boot/grub/grub.cfg")
    subprocess.run(["chroot", disk.tree, "grub-script-check", "/boot/grub/grub.cfg"], check=True)
    lines = [line.split() for line in config.splitlines() if line.split()[:1] == ["linux"] and "single" not in line]
    kernels = {(path, *parameters) for _, path, *parameters in lines}
    ((kernel, *parameters),) = kernels
    assert parameters == [f"root=UUID={disk.uuids['/']}", "ro", *CONSOLES.split(), "quiet"]
    images = set(re.findall(r"^\s*initrd\s+(\S+)\s*$", config, re.MULTILINE))
    assert len(images) == 1
    assert all((disk.tree / "boot" / path.lstrip("/")).is_file() for path in (kernel, *images))
    searched = set(re.findall(r"search .*--set=root (\S+)", config))
    assert searched == {disk.uuids["/boot"]}


def test_grub_is_as_grub_install_leaves_it(disk: Disk) -> None:
    grub = disk.tree / "boot/grub"
    assert (grub / "grubenv").stat().st_size == 1024
    for kind in ("i386-pc", "x86_64-efi"):
        modules = {path.name for path in (disk.tree / "usr/lib/grub" / kind).glob("*.mod")}
        assert {path.name for path in (grub / kind).glob("*.mod")} == modules != set()
    subprocess.run(["chroot", disk.tree, "grub-editenv", "/boot/grub/grubenv", "list"], check=True)


def test_no_program_of_the_tree_is_replaced(disk: Disk) -> None:
    for name in ("sbin/grub-probe", "bin/grub-mkrelpath"):
        assert (disk.tree / "usr" / name).read_bytes().startswith(b"\x7fELF")
    assert [path.name for path in disk.tree.glob("usr/*bin/*fuel-image*")] == []


def answered(script: str, *arguments: str) -> str:
    ended = subprocess.run(["sh", "-s", "--", *arguments], input=script, check=True, stdout=subprocess.PIPE, text=True)
    return ended.stdout.strip()


@pytest.mark.parametrize(
    ("disk_asked", "arguments", "answer"),
    [
        (plain(), "--target=device /", f"/dev/disk/by-uuid/{ROOT}"),
        (plain(), "--target=device /boot", f"/dev/disk/by-uuid/{ROOT}"),
        (divided(), "--target=device /boot", f"/dev/disk/by-uuid/{BOOT}"),
        (divided(), f"--device /dev/disk/by-uuid/{ROOT} --target=fs_uuid", ROOT),
        (divided(), f"--device /dev/disk/by-uuid/{ROOT} --target=fs", "xfs"),
        (divided(), f"-d /dev/disk/by-uuid/{BOOT} -t fs", "ext2"),
        (divided(table="mbr"), f"--device /dev/disk/by-uuid/{BOOT} --target=partmap", "msdos"),
        (divided(), "--target=drive /boot", "(hd0,gpt2)"),
        (plain(), "--target=fs_uuid /boot/efi/EFI", ESP),
        (plain(), "--target=abstraction /", ""),
        (plain(), "--target=hints_string /", ""),
    ],
)
def test_what_stands_in_for_grub_probe_answers_for_the_disk(
    disk_asked: MachineDisk, arguments: str, answer: str
) -> None:
    assert answered(grub_config._probe(disk_asked), *arguments.split()) == answer


@pytest.mark.parametrize(
    ("disk_asked", "path", "answer"),
    [
        (plain(), "/boot", "/boot"),
        (divided(), "/boot", ""),
        (divided(), "/boot/grub", "/grub"),
        (divided(), "/x", "/x"),
    ],
)
def test_what_stands_in_for_grub_mkrelpath(disk_asked: MachineDisk, path: str, answer: str) -> None:
    assert answered(grub_config._relpath(disk_asked), path) == answer
