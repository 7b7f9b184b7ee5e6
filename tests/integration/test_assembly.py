"""A disk that is put together from partition images, looked at by others than its maker."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from fuel_image.errors import BuildError
from fuel_image.machine import assembly
from fuel_image.machine.assembly import Packed

from .images import mounted, output_of

KERNELS = {
    "vmlinuz-6.8.0-9-generic": "older",
    "initrd.img-6.8.0-9-generic": "of the older",
    "vmlinuz-6.8.0-31-generic": "newer",
    "initrd.img-6.8.0-31-generic": "of the newer",
    "vmlinuz-6.8.0-99-generic": "without an initrd",
    "vmlinuz old": "no version",
}
FSTAB = {"etc/fstab": "# UNCONFIGURED FSTAB FOR BASE SYSTEM\n"}


def image(directory: Path, mount: str, files: Mapping[str, str], kind: str = "ext4") -> Packed:
    """Make a published image with some files."""
    top = directory / f"top{mount.replace('/', '-')}"
    for name, content in files.items():
        path = top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    raw = top.with_suffix(".image")
    if kind == "xfs":
        with raw.open("wb") as file:
            file.truncate(320 << 20)
        subprocess.run(["mkfs.xfs", "-q", raw], check=True)
    else:
        subprocess.run(["mke2fs", "-q", "-t", kind, "-d", top, raw, "16M"], check=True)
    packed = raw.with_suffix(".gz")
    packed.write_bytes(gzip.compress(raw.read_bytes(), 1))
    return Packed(packed, mount, kind, "gzip")


def partitions(disk: Path, directory: Path) -> list[Path]:
    """Return a copy of each partition of a disk."""
    subprocess.run(["sgdisk", "--verify", disk], check=True, stdout=subprocess.DEVNULL)
    table = json.loads(output_of("sfdisk", "--json", disk))["partitiontable"]
    assert (table["label"], table["sectorsize"]) == ("gpt", 512)
    found = []
    for number, one in enumerate(table["partitions"]):
        found.append(directory / f"copy-{number}")
        with disk.open("rb") as file, found[-1].open("wb") as copy:
            file.seek(one["start"] * 512)
            for _ in range(one["size"] // 2048):
                copy.write(file.read(1 << 20))
    return found


def test_a_disk_of_two_images(tmp_path: Path) -> None:
    images = [image(tmp_path, "/boot", KERNELS, "ext2"), image(tmp_path, "/", FSTAB)]
    work = tmp_path / "work with a blank"
    work.mkdir()
    drive, kernel = assembly.assembled(images, work)
    assert (kernel.file.read_text(), kernel.initrd.read_text()) == ("newer", "of the newer")
    boot, root = partitions(drive.file, tmp_path)
    uuids = [output_of("blkid", "-o", "value", "-s", "UUID", one).strip() for one in (boot, root)]
    assert kernel.parameters.split()[0] == f"root=UUID={uuids[1]}"
    for one in (boot, root):
        subprocess.run(["e2fsck", "-fn", one], check=True, stdout=subprocess.DEVNULL)
    with mounted(root, tmp_path / "mnt", "ext4") as point:
        assert (point / "etc/fstab").read_text() == (
            f"UUID={uuids[0]} /boot ext2 defaults 0 2\nUUID={uuids[1]} / ext4 defaults 0 1\n"
        )
        found = os.statvfs(point)
        assert 900 << 20 < found.f_blocks * found.f_frsize < 1040 << 20
    with mounted(boot, tmp_path / "mnt", "ext2") as point:
        assert {path.name for path in point.iterdir()} == {*KERNELS, "lost+found"}


def test_an_fstab_of_the_image_stays(tmp_path: Path) -> None:
    own = {"etc/fstab": "# mine\nLABEL=x / ext4 defaults 0 1\n"}
    images = [image(tmp_path, "/boot", KERNELS), image(tmp_path, "/", own)]
    drive, _ = assembly.assembled(images, tmp_path)
    with mounted(partitions(drive.file, tmp_path)[1], tmp_path / "mnt", "ext4") as point:
        assert (point / "etc/fstab").read_text() == own["etc/fstab"]


def test_a_kernel_in_the_root_image(tmp_path: Path) -> None:
    files = {f"boot/{name}": content for name, content in KERNELS.items()}
    _, kernel = assembly.assembled([image(tmp_path, "/", {**files, **FSTAB})], tmp_path)
    assert kernel.file.read_text() == "newer"


@pytest.mark.parametrize(
    ("mounts", "kind", "said"),
    [
        (("/boot",), "ext4", "no image for /"),
        (("/",), "ext4", "there is none with an initial RAM disk"),
        (("/", "/boot"), "xfs", "it is xfs, and only ext is read"),
    ],
)
def test_images_that_make_no_machine(mounts: tuple[str, ...], kind: str, said: str, tmp_path: Path) -> None:
    images = [image(tmp_path, mount, FSTAB, kind if mount == "/boot" else "ext4") for mount in mounts]
    with pytest.raises(BuildError, match=said):
        assembly.assembled(images, tmp_path)
