"""What is wrong with the disks of a request.

Owns the checks of their values, once their shape is known to be right, with the JSON path of each problem. It must not
know how a disk is made.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from fuel_image.document import shown
from fuel_image.errors import Problem
from fuel_image.images.filesystems import FILESYSTEMS
from fuel_image.outputs.asked import (
    ESP_MOUNT,
    FIRMWARES_OF,
    PARTITION_FORMATS,
    REST,
    SWAP,
    TABLES,
    VFAT,
)
from fuel_image.sizes import reserve, size_bytes

Written = Mapping[str, Any]

_NOT_HERE = ("lvm", "lvm2", "raid", "mdadm", "md", "luks", "dm-crypt", "zfs")
"""Formats that are asked for and are none of ours."""
_LABEL_LIMITS_BYTES = {VFAT: 11, SWAP: 15}
_MOST_PRIMARY = 4
_MIB = 1 << 20
_LARGEST_BYTES = {"gpt": 64 << 40, "mbr": 2 << 40}
_SMALLEST_BYTES = {VFAT: 34 << 20, SWAP: _MIB}
"""Below this mkfs.vfat makes no FAT32, the only kind that every firmware reads."""


def problems(document: Written) -> Iterator[Problem]:
    """Find what is wrong."""
    arch = document.get("arch", "amd64")
    for number, disk in enumerate(document.get("disks", ())):
        yield from _disk_problems(disk, f"$.disks[{number}]", arch)


def _disk_problems(disk: Written, place: str, arch: str) -> Iterator[Problem]:
    table, own = disk.get("table", TABLES[0]), disk.get("partitions", ())
    known = FIRMWARES_OF.get(arch, ())
    for number, firmware in enumerate(disk.get("boot", known)):
        if firmware not in known:
            yield Problem(f"{place}.boot[{number}]", f"no machine of {arch} that we know boots with {firmware}")
    if not known:
        yield Problem(place, f"disks are made for {' and '.join(FIRMWARES_OF)}, not for {arch}")
    if "compression" in disk and disk["format"] != "qcow2":
        yield Problem(f"{place}.compression", f"is for qcow2; compress a {disk['format']} by its container")
    yield from _size_problems(disk.get("size"), f"{place}.size", table)
    if "partitions" not in disk:
        return
    for number, partition in enumerate(own):
        yield from _partition_problems(partition, f"{place}.partitions[{number}]", table)
    yield from _layout_problems(own, f"{place}.partitions")
    if table == "mbr" and len(own) > _MOST_PRIMARY:
        yield Problem(f"{place}.partitions", f"an mbr holds {_MOST_PRIMARY} partitions; take gpt for more")
    if "uefi" in disk.get("boot", known) and ESP_MOUNT not in [one.get("mount") for one in own]:
        yield Problem(f"{place}.partitions", f"to boot with uefi takes a {VFAT} at {ESP_MOUNT}")


def _size_problems(size: Any, path: str, table: str) -> Iterator[Problem]:
    if size is None:
        return
    found = size_bytes(size)
    if found is None:
        yield Problem(path, f"{shown(size)} is no size (bytes, or such as 8GiB)")
    elif not _MIB <= found <= _LARGEST_BYTES[table]:
        yield Problem(
            path, f"{shown(size)} is not between 1MiB and {_LARGEST_BYTES[table] >> 40}TiB, which {table} holds"
        )
    elif found % _MIB:
        yield Problem(path, f"{shown(size)} is not a number of whole MiB")


def _partition_problems(partition: Written, place: str, table: str) -> Iterator[Problem]:
    kind, mount, size = partition["format"], partition.get("mount"), partition.get("size")
    if kind in _NOT_HERE or any(key in partition for key in _NOT_HERE):
        yield Problem(f"{place}.format", "LVM, RAID and encryption are not made here: a disk holds plain file systems")
    elif kind not in PARTITION_FORMATS:
        yield Problem(f"{place}.format", f"{shown(kind)} is not one of {', '.join(PARTITION_FORMATS)}")
    elif (mount is None) != (kind == SWAP):
        yield Problem(f"{place}.mount", "is missing" if mount is None else "swap is mounted nowhere")
    elif (mount == ESP_MOUNT) != (kind == VFAT):
        yield Problem(
            f"{place}.format", f"{VFAT} keeps no owners and modes: it is for {ESP_MOUNT}, and only it is there"
        )
    if mount is not None and (mount != str(PurePosixPath("/" + mount.lstrip("/"))) or ".." in mount.split("/")):
        yield Problem(f"{place}.mount", f"{shown(mount)} is not an absolute mount point in its shortest form")
    if size != REST:
        yield from _size_problems(size, f"{place}.size", table)
    if kind in (SWAP, VFAT) and size in (None, REST):
        yield Problem(f"{place}.size", f"is missing; a {kind} has no content to take it from")
    elif kind in _SMALLEST_BYTES and (size_bytes(size) or _SMALLEST_BYTES[kind]) < _SMALLEST_BYTES[kind]:
        yield Problem(f"{place}.size", f"a {kind} takes at least {_SMALLEST_BYTES[kind] >> 20}MiB")
    if partition.get("grow") and kind not in FILESYSTEMS:
        yield Problem(f"{place}.grow", f"a {kind} does not grow")
    if "reserve" in partition and reserve(partition["reserve"]) is None:
        yield Problem(f"{place}.reserve", f"{shown(partition['reserve'])} is no size (bytes, or such as 64MiB or 5%)")
    longest = FILESYSTEMS[kind].label_limit_bytes if kind in FILESYSTEMS else _LABEL_LIMITS_BYTES.get(kind, 0)
    if len(partition.get("label", "").encode()) > longest and kind in PARTITION_FORMATS:
        yield Problem(f"{place}.label", f"too long for {kind}, which takes {longest} bytes")


def _layout_problems(partitions: list[Written], place: str) -> Iterator[Problem]:
    mounts: dict[str, int] = {}
    for number, partition in enumerate(partitions):
        mount = partition.get("mount")
        if mount is not None and mounts.setdefault(mount, number) != number:
            yield Problem(f"{place}[{number}].mount", f"is also that of {place}[{mounts[mount]}]")
    if "/" not in mounts:
        yield Problem(place, "no partition for /")
    for field, value, why in (
        ("size", REST, "takes what the others leave"),
        ("grow", True, "grows into what is behind it"),
    ):
        for number in [n for n, one in enumerate(partitions) if one.get(field) == value][1:]:
            yield Problem(f"{place}[{number}].{field}", f"only one {why}")
