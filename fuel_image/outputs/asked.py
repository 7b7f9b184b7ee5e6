"""What a request asks for besides partition images.

Owns the frozen types of whole disks, and how they come out of a request that has been checked. It must not decide what
follows from them: where a partition lies, what boots.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fuel_image.images.filesystems import FILESYSTEMS
from fuel_image.sizes import DEFAULT_RESERVE, Reserve, reserve, size_bytes
from fuel_image.uris import file_named

ESP_MOUNT = "/boot/efi"
"""Where Debian and Ubuntu look for the EFI system partition."""
SWAP = "swap"
VFAT = "vfat"
PARTITION_FORMATS = (*FILESYSTEMS, VFAT, SWAP)
FIRMWARES = ("bios", "uefi")
FIRMWARES_OF: Mapping[str, tuple[str, ...]] = {"amd64": FIRMWARES}
"""The firmwares that start a machine of an architecture, where we know how to make a disk for them."""
TABLES = ("gpt", "mbr")
REST = "rest"
_ESP_BYTES = 128 << 20
_LEFT_FREE_BYTES = 64 << 20
"""What Ironic and Metal3 take at the end of a disk for a config drive: nothing of ours needs it."""


@dataclass(frozen=True)
class PartitionRequest:
    """A partition of a disk, from the tree below *mount* (without deeper mount points), or None for swap.

    *size_bytes* is None for one that is as large as its content and the *reserve*; with *rest* it takes what the
    others leave. With *grow* a machine makes it larger when it boots from a larger disk.
    """

    format: str
    mount: str | None = None
    size_bytes: int | None = None
    rest: bool = False
    grow: bool = False
    label: str | None = None
    reserve: Reserve = DEFAULT_RESERVE


@dataclass(frozen=True)
class DiskRequest:
    """A whole disk, as *filename* in the output.

    *size_bytes* is None for one that is as large as its partitions and *left_free_bytes* behind them. *boot* holds the
    firmwares that start it, *compression* is that of qcow2's clusters.
    """

    filename: str
    format: str
    container: str
    compression: str
    size_bytes: int | None
    table: str
    boot: tuple[str, ...]
    partitions: tuple[PartitionRequest, ...]
    left_free_bytes: int = 0


def disks(document: Mapping[str, Any]) -> tuple[DiskRequest, ...]:
    """Return the disks that a request, in which no problem was found, asks for."""
    firmwares = FIRMWARES_OF.get(document.get("arch", "amd64"), ())
    return tuple(_typed_disk(one, firmwares) for one in document.get("disks", ()))


def _filename(written: Mapping[str, Any]) -> str:
    name = file_named(written["uri"])
    assert name is not None, "it was checked"
    return name


def _typed_disk(written: Mapping[str, Any], firmwares: Sequence[str]) -> DiskRequest:
    wanted = written.get("boot", firmwares)
    boot = tuple(firmware for firmware in firmwares if firmware in wanted)
    own = [_typed_partition(one) for one in written.get("partitions", ())]
    return DiskRequest(
        filename=_filename(written),
        format=written["format"],
        container=written.get("container", "raw"),
        compression=written.get("compression", "zlib"),
        size_bytes=size_bytes(written["size"]) if "size" in written else None,
        table=written.get("table", TABLES[0]),
        boot=boot,
        partitions=tuple(own or _default_partitions(boot)),
        left_free_bytes=0 if own else _LEFT_FREE_BYTES,
    )


def _default_partitions(boot: Sequence[str]) -> Iterator[PartitionRequest]:
    """Give the layout of a disk that names none: what Ironic, Metal3 and every cloud take."""
    if "uefi" in boot:
        yield PartitionRequest(VFAT, ESP_MOUNT, _ESP_BYTES)
    yield PartitionRequest("ext4", "/", rest=True, grow=True)


def _typed_partition(written: Mapping[str, Any]) -> PartitionRequest:
    size = written.get("size")
    free = reserve(written["reserve"]) if "reserve" in written else DEFAULT_RESERVE
    assert free is not None, "it was checked"
    return PartitionRequest(
        format=written["format"],
        mount=written.get("mount"),
        size_bytes=None if size in (None, REST) else size_bytes(size),
        rest=size == REST,
        grow=written.get("grow", False),
        label=written.get("label"),
        reserve=free,
    )
