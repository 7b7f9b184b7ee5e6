"""Whole disks, looked at with other tools than those that made them.

But for one real build they are of a small tree in which two files of the size of GRUB's stand for what boots.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from fuel_image import disks
from fuel_image import plan as plans
from fuel_image.errors import BuildError
from fuel_image.images import check as checks
from fuel_image.publish import Artifact, staged
from fuel_image.request import parse
from fuel_image.tree.bootloader import BOOT_IMAGE, CORE_IMAGE
from fuel_image.tree.root import Tree

from .conftest import Fuel, metadata_of, sample
from .images import ImageSet, mounted, output_of

EPOCH = 1_700_000_000
MIB = 1 << 20
CORE = b"core" * 10_000
ESP = {"mount": "/boot/efi", "format": "vfat", "size": "40MiB", "label": "efi"}
BOOT = {"mount": "/boot", "format": "ext2", "size": "64MiB"}
ROOT = {"mount": "/", "format": "ext4", "size": "rest", "grow": True, "label": "root"}
SWAP = {"format": "swap", "size": "16MiB", "label": "swap"}
FOUR = [ESP, BOOT, ROOT, SWAP]


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    top = tmp_path / "tree"
    contents = {
        "etc/hostname": b"machine\n",
        "usr/bin/program": os.urandom(3 * MIB),
        "boot/vmlinuz": b"kernel" * 1000,
        "boot/efi/EFI/BOOT/BOOTX64.EFI": b"MZ" * 5000,
        "boot/efi/EFI/debian/A long Name.cfg": b"configfile\n",
        BOOT_IMAGE.lstrip("/"): b"\xee" * 512,
        CORE_IMAGE.lstrip("/"): CORE,
    }
    for name, content in contents.items():
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_bytes(content)
    for path in (top, *top.rglob("*")):
        os.utime(path, (EPOCH, EPOCH))
    return Tree(top)


def made(tree: Tree, output: Path, **changes: Any) -> tuple[Path, Artifact]:
    """Make the disk of a request with *changes* in *output*; return its file and what is recorded of it."""
    form = changes.get("format", "raw")
    disk = {"uri": f"http://127.0.0.1/small.{form}", "format": form, "size": "256MiB", "partitions": FOUR, **changes}
    disk = {key: value for key, value in disk.items() if value is not None}
    repo = {"uri": "http://127.0.0.1/debian", "suite": "bookworm", "section": "main"}
    document = {"disks": [disk], "output": str(output), "codename": "bookworm", "repos": [repo]}
    plan = plans.make(parse(json.dumps(document), environment={}))
    work = output / "work"
    work.mkdir(parents=True)
    with staged(output, plan.disks[0].request.filename) as out:
        artifact = disks.make(tree, plan, plan.disks[0], out, work, EPOCH)
        out.finish()
        out.reveal()
    shutil.rmtree(work)
    return out.path, artifact


def partitions(disk: Path) -> list[dict[str, Any]]:
    found = json.loads(output_of("sfdisk", "--json", disk))["partitiontable"]["partitions"]
    return sorted(found, key=lambda one: int(one["node"].removeprefix(str(disk))))


def cut(disk: Path, number: int, target: Path) -> Path:
    one = partitions(disk)[number - 1]
    place = [f"skip={one['start']}", f"count={one['size']}", "bs=512"]
    subprocess.run(["dd", f"if={disk}", f"of={target}", *place, "conv=sparse", "status=none"], check=True)
    return target


def probed(image: Path) -> tuple[str, str]:
    return tuple(output_of("blkid", "-p", "-s", tag, "-o", "value", image).strip() for tag in ("TYPE", "LABEL"))  # type: ignore[return-value]


def test_a_gpt_has_its_partitions_where_they_belong(tree: Tree, tmp_path: Path) -> None:
    disk, artifact = made(tree, tmp_path / "output")
    assert "No problems found" in output_of("sgdisk", "--verify", disk)
    found = [(one["start"] // 2048, one["size"] // 2048) for one in partitions(disk)]
    # the BIOS boot partition is the fifth and lies first; what grows lies last
    assert found == [(2, 40), (42, 64), (122, 133), (106, 16), (1, 1)]
    assert disk.stat().st_size == artifact.virtual_size_bytes == artifact.packed.size_bytes == 256 * MIB
    assert artifact.packed.sha256 == hashlib.sha256(disk.read_bytes()).hexdigest()
    assert (artifact.raw, artifact.mount) == (None, None)


def test_the_file_systems_are_sound_and_hold_the_tree(tree: Tree, tmp_path: Path) -> None:
    disk, _ = made(tree, tmp_path / "output")
    cuts = [cut(disk, number, tmp_path / f"cut{number}") for number in (1, 2, 3, 4)]
    assert [probed(one) for one in cuts] == [("vfat", "EFI"), ("ext2", ""), ("ext4", "root"), ("swap", "swap")]
    for one in cuts[1:3]:
        subprocess.run(["e2fsck", "-fn", one], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    listed = output_of("mdir", "-i", cuts[0], "-/", "-b", "::").splitlines()
    assert {"::/EFI/BOOT/BOOTX64.EFI", "::/EFI/debian/A long Name.cfg"} <= set(listed)
    assert output_of("mtype", "-i", cuts[0], "::/EFI/debian/A long Name.cfg") == "configfile\n"
    with mounted(cuts[2], tmp_path / "mnt", "ext4") as root:
        assert (root / "usr/bin/program").read_bytes() == (tree.path / "usr/bin/program").read_bytes()
        assert list((root / "boot").iterdir()) == []
    with mounted(cuts[1], tmp_path / "mnt", "ext2") as boot:
        assert (boot / "vmlinuz").stat().st_mtime == EPOCH
        assert list((boot / "efi").iterdir()) == []


@pytest.mark.parametrize(("table", "sector"), [("gpt", 2048), ("mbr", 1)])
def test_the_first_sector_leads_to_the_core(tree: Tree, tmp_path: Path, table: str, sector: int) -> None:
    content = made(tree, tmp_path / "output", table=table)[0].read_bytes()
    assert int.from_bytes(content[0x5C:0x64], "little") == sector
    core = content[sector * 512 : sector * 512 + len(CORE)]
    assert core[:0x1F4] == CORE[:0x1F4]
    assert core[0x1FE:] == CORE[0x1FE:]


def test_an_mbr_has_no_partition_for_the_core(tree: Tree, tmp_path: Path) -> None:
    disk, _ = made(tree, tmp_path / "output", table="mbr")
    found = [(one["start"] // 2048, one["size"] // 2048, one["type"], "bootable" in one) for one in partitions(disk)]
    assert found == [(1, 40, "ef", False), (41, 64, "83", False), (121, 134, "83", True), (105, 16, "82", False)]


@pytest.mark.parametrize("form", ["qcow2", "vmdk", "vhdx", "vdi"])
def test_every_form_holds_the_same_disk(tree: Tree, tmp_path: Path, form: str) -> None:
    raw, _ = made(tree, tmp_path / "raw")
    disk, artifact = made(tree, tmp_path / "output", format=form)
    told = json.loads(output_of("qemu-img", "info", "--output=json", disk))
    assert (told["format"], told["virtual-size"]) == (form, artifact.virtual_size_bytes)
    if form != "vmdk":  # qemu-img cannot check a stream
        subprocess.run(["qemu-img", "check", "-q", disk], check=True)
    unpacked = tmp_path / "unpacked"
    subprocess.run(["qemu-img", "convert", "-O", "raw", disk, unpacked], check=True)
    # the name of a disk is part of what its UUIDs are made of, so all but they is compared
    assert [(one["start"], one["size"]) for one in partitions(unpacked)] == [
        (one["start"], one["size"]) for one in partitions(raw)
    ]
    with mounted(cut(unpacked, 3, tmp_path / "cut"), tmp_path / "mnt", "ext4") as root:
        assert (root / "usr/bin/program").read_bytes() == (tree.path / "usr/bin/program").read_bytes()


@pytest.mark.parametrize("form", ["raw", "qcow2", "vmdk", "vhdx", "vdi"])
def test_the_same_tree_gives_the_same_bytes(tree: Tree, tmp_path: Path, form: str) -> None:
    first, second = (made(tree, tmp_path / name, format=form)[1].packed for name in ("first", "second"))
    assert first == second


def test_without_sizes_the_disk_is_as_large_as_its_content(tree: Tree, tmp_path: Path) -> None:
    own = [ESP, {"mount": "/", "format": "ext4", "reserve": "8MiB"}]
    disk, artifact = made(tree, tmp_path / "output", size=None, partitions=own)
    assert "No problems found" in output_of("sgdisk", "--verify", disk)
    last = max(one["start"] + one["size"] for one in partitions(disk))
    assert artifact.virtual_size_bytes == last * 512 + MIB


def test_what_does_not_fit_is_refused_with_the_numbers(tree: Tree, tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=r"its partitions take 123 MiB, and it has 122"):
        made(tree, tmp_path / "disk", size="122MiB")
    with pytest.raises(BuildError, match=r"its content takes \d+ MiB, and it has 2"):
        made(tree, tmp_path / "partition", size="125MiB")


@pytest.mark.parametrize("kind", ["xfs", "btrfs"])
def test_a_file_system_that_is_filled_has_the_size_of_its_partition(tree: Tree, tmp_path: Path, kind: str) -> None:
    own = [ESP, {"mount": "/", "format": kind, "size": "rest"}]
    disk, _ = made(tree, tmp_path / "output", size="512MiB", partitions=own)
    root = cut(disk, 2, tmp_path / "cut")
    assert probed(root)[0] == kind
    size = output_of("blkid", "-p", "-s", "FSSIZE", "-o", "value", root)
    assert not size or int(size) <= root.stat().st_size
    with mounted(root, tmp_path / "mnt", kind) as point:
        assert (point / "usr/bin/program").read_bytes() == (tree.path / "usr/bin/program").read_bytes()


def test_a_build_publishes_images_and_disks_as_one_set(fuel: Fuel, tmp_path: Path) -> None:
    packages = ["linux-image-cloud-amd64", "initramfs-tools", "systemd-sysv", "udev"]
    disk = {"uri": "http://127.0.0.1/machine.qcow2", "format": "qcow2", "size": "2GiB"}
    request = sample(None, tmp_path / "output", packages=packages, disks=[disk])
    fuel(request)
    found = ImageSet(metadata_of(request))
    (artifact,) = found.record["artifacts"]
    path = found.path.parent / artifact["name"]
    assert output_of("sha256sum", path).split()[0] == artifact["sha256"]
    assert artifact["virtual_size"] == 2 << 30
    subprocess.run(["qemu-img", "check", "-q", path], check=True)
    raw = tmp_path / "raw"
    subprocess.run(["qemu-img", "convert", "-O", "raw", path, raw], check=True)
    assert "No problems found" in output_of("sgdisk", "--verify", raw)
    assert {image["mount"] for image in found.record["images"]} == set(request["image_data"])


def test_what_the_check_finds_is_what_is_told(tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def found_wanting(*_: Any, **__: Any) -> None:
        raise BuildError("it is not the tree")

    monkeypatch.setattr(checks, "check", found_wanting)
    with pytest.raises(BuildError, match="it is not the tree"):
        made(tree, tmp_path / "output", format="qcow2")
    assert not (tmp_path / "output/small.qcow2").exists()
