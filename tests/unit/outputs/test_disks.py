"""What a request may say of disks, what is said of one that may not, and what is decided from it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fuel_image import plan
from fuel_image.errors import RequestError
from fuel_image.outputs.asked import PartitionRequest
from fuel_image.request import Request, parse

ESP = {"mount": "/boot/efi", "format": "vfat", "size": "64MiB"}
ROOT = {"mount": "/", "format": "ext4", "size": "rest", "grow": True}
SWAP = {"format": "swap", "size": "1GiB"}


def asked(*partitions: dict[str, Any], **changes: Any) -> Request:
    disk: dict[str, Any] = {"uri": "http://10.20.0.2/node.qcow2", "format": "qcow2", **changes}
    if partitions:
        disk["partitions"] = list(partitions)
    document = {
        "disks": [{key: value for key, value in disk.items() if value is not ...}],
        "output": "/srv/images",
        "repos": [{"uri": "http://mirror.example.org/ubuntu", "suite": "noble", "section": "main"}],
        "codename": "noble",
    }
    return parse(json.dumps(document), environment={})


def test_a_disk_that_names_no_partitions() -> None:
    (disk,) = asked().disks
    assert (disk.filename, disk.container, disk.compression, disk.table) == ("node.qcow2", "raw", "zlib", "gpt")
    assert disk.boot == ("bios", "uefi")
    assert disk.partitions == (
        PartitionRequest("vfat", "/boot/efi", 128 << 20),
        PartitionRequest("ext4", "/", rest=True, grow=True),
    )
    assert disk.left_free_bytes == 64 << 20, "where Ironic puts a config drive"


def test_a_disk_without_uefi_has_no_system_partition() -> None:
    (disk,) = asked(boot=["bios"]).disks
    assert [one.mount for one in disk.partitions] == ["/"]


def test_a_set_of_a_disk_is_named_for_it() -> None:
    request = asked()
    assert (request.metadata_filename, request.filenames) == ("node.yaml", ("node.qcow2",))


BAD: list[tuple[tuple[dict[str, Any], ...], dict[str, Any], str]] = [
    ((), {"format": "ova"}, '$.disks[0].format: "ova" is not one of raw, qcow2, vmdk, vhdx, vdi'),
    ((), {"format": "raw", "compression": "zlib"}, "$.disks[0].compression: is for qcow2; compress a raw by its"),
    ((), {"size": "big"}, '$.disks[0].size: "big" is no size (bytes, or such as 8GiB)'),
    ((), {"size": 1048577}, "$.disks[0].size: 1048577 is not a number of whole MiB"),
    ((), {"size": "3TiB", "table": "mbr"}, '$.disks[0].size: "3TiB" is not between 1MiB and 2TiB, which mbr holds'),
    ((), {"uri": "http://10.20.0.2/"}, "$.disks[0].uri: the last part of the URI's path must name a file"),
    ((ROOT,), {}, "$.disks[0].partitions: to boot with uefi takes a vfat at /boot/efi"),
    ((ESP,), {}, "$.disks[0].partitions: no partition for /"),
    ((ESP, ROOT, ROOT), {}, "$.disks[0].partitions[2].mount: is also that of $.disks[0].partitions[1]"),
    ((ESP, ROOT, {**SWAP, "size": "rest"}), {"size": "8GiB"}, "partitions[2].size: only one takes what the others"),
    ((ESP, ROOT, {**SWAP, "mount": "/swap"}), {}, "partitions[2].mount: swap is mounted nowhere"),
    ((ESP, ROOT, {"format": "swap"}), {}, "partitions[2].size: is missing; a swap has no content to take it from"),
    ((ESP, {**ROOT, "format": "vfat"}), {}, "partitions[1].format: vfat keeps no owners and modes"),
    ((ESP, {**ROOT, "format": "lvm"}), {}, "partitions[1].format: LVM, RAID and encryption are not made here"),
    ((ESP, {**ROOT, "raid": 1}), {}, "partitions[1].format: LVM, RAID and encryption are not made here"),
    ((ESP, {**ROOT, "format": "zzz"}), {}, 'partitions[1].format: "zzz" is not one of ext2, ext3, ext4, xfs, btrfs'),
    (({**ESP, "size": "8MiB"}, ROOT), {}, "partitions[0].size: a vfat takes at least 34MiB"),
    (({**ESP, "grow": True}, ROOT), {}, "partitions[0].grow: a vfat does not grow"),
    ((ESP, {**ROOT, "mount": "/a/../b"}), {}, 'partitions[1].mount: "/a/../b" is not an absolute mount point'),
    ((ESP, {**ROOT, "label": "x" * 17}), {}, "partitions[1].label: too long for ext4, which takes 16 bytes"),
    ((ESP, ROOT, SWAP, {**SWAP}, {**SWAP}), {"table": "mbr"}, "partitions: an mbr holds 4 partitions"),
]


@pytest.mark.parametrize(("partitions", "changes", "problem"), BAD, ids=[problem for _, _, problem in BAD])
def test_bad_values(partitions: tuple[dict[str, Any], ...], changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(RequestError) as caught:
        asked(*partitions, **changes)
    assert any(problem in str(one) for one in caught.value.problems), caught.value


def test_a_request_for_nothing() -> None:
    with pytest.raises(RequestError, match="asks for nothing: give image_data, disks, rootfs, squashfs, kernel, "):
        parse('{"output": "/o", "codename": "noble", "repos": [{"uri": "file:///r", "suite": "/"}]}', environment={})


def test_a_plan_is_the_same_twice_and_no_two_uuids_are() -> None:
    one, two = (plan.make(asked(ESP, ROOT, SWAP)) for _ in range(2))
    assert one == two
    (disk,) = one.disks
    uuids = [
        disk.uuid,
        disk.bios_boot_uuid,
        *(uuid for part in disk.partitions for uuid in (part.uuid, part.part_uuid)),
    ]
    assert len(set(uuids)) == len(uuids)
    assert disk.partitions[0].uuid[4] == "-"  # a FAT has a number of 32 bits
    assert {"sfdisk", "mkfs.vfat", "mcopy", "mke2fs", "mkswap"} <= set(one.tools)
    assert "qemu-img" not in one.tools


def test_a_bios_boot_partition_is_for_a_gpt_that_a_bios_starts() -> None:
    cases: list[tuple[dict[str, Any], bool]] = [({}, True), ({"boot": ["uefi"]}, False), ({"table": "mbr"}, False)]
    for changes, wanted in cases:
        assert plan.make(asked(**changes)).disks[0].bios_boot is wanted


def test_a_plan_shows_the_disk() -> None:
    text = plan.described(plan.make(asked(ESP, ROOT, size="8GiB")))
    assert "node.qcow2: disk, qcow2 in raw, 8,192 MiB, gpt, boots with bios and uefi" in text
    assert "2. /: ext4, the rest, grows, UUID" in text
