"""The partition table of a disk.

Owns its writing into a file, by sfdisk: no kernel is asked, and the same layout gives the same bytes. It must not
decide where a partition lies.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fuel_image.errors import BuildError
from fuel_image.host.command import run
from fuel_image.images.layout import Layout

SECTOR_BYTES = 512
_LABELS = {"gpt": "gpt", "mbr": "dos"}
TYPES = {
    "gpt": {
        "bios": "21686148-6449-6E6F-744E-656564454649",
        "vfat": "C12A7328-F81F-11D2-BA4B-00A0C93EC93B",
        "swap": "0657FD6D-A4AB-43C4-84E5-0933C84B4F4F",
        "root": "4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709",
        "linux": "0FC63DAF-8483-4772-8E79-3D69D8477DE4",
    },
    "mbr": {"vfat": "ef", "swap": "82", "root": "83", "linux": "83"},
}
"""The types of partitions (UEFI specification 5.3.3, Discoverable Partitions Specification)."""


@dataclass(frozen=True)
class Row:
    """A partition in a table: its *number*, its *kind* (bios, vfat, swap, root, linux), and its own UUID."""

    number: int
    kind: str
    uuid: str


def write(disk: Path, table: str, uuid: str, layout: Layout, rows: Sequence[Row]) -> None:
    """Write the table of *layout* into the file *disk*, which has its size. Raises CommandError."""
    options = ("--quiet", "--no-reread", "--no-tell-kernel", "--wipe=never")
    text = script(table, uuid, layout, rows)
    run("sfdisk", *options, disk, stdin=text, doing=f"writing the partition table of {disk.name}")


def check(disk: Path, table: str, uuid: str, layout: Layout, rows: Sequence[Row]) -> None:
    """Raise BuildError or CommandError unless the file *disk* has a sound table, which is that of *layout*."""
    doing = f"checking the partition table of {disk.name}"
    run("sfdisk", "--verify", disk, doing=doing)
    found = json.loads(run("sfdisk", "--json", disk, doing=doing, want_output=True).text)
    compare(disk.name, found["partitiontable"], table, uuid, layout, rows)


def script(table: str, uuid: str, layout: Layout, rows: Sequence[Row]) -> str:
    """Return the script for sfdisk(8)."""
    lines = [f"label: {_LABELS[table]}", f"label-id: {_label_id(table, uuid)}", "unit: sectors"]
    for row in rows:
        start, size = _sectors(layout, row)
        own = f", uuid={row.uuid}" if table == "gpt" else ", bootable" if row.kind == "root" else ""
        lines.append(f"{row.number} : start={start}, size={size}, type={TYPES[table][row.kind]}{own}")
    return "".join(f"{line}\n" for line in lines)


def compare(name: str, found: Mapping[str, Any], table: str, uuid: str, layout: Layout, rows: Sequence[Row]) -> None:
    """Raise BuildError unless *found*, which sfdisk says of the disk *name*, is the table that was asked for."""
    wanted = {
        f"{name}{row.number}": (*_sectors(layout, row), TYPES[table][row.kind], row.uuid if table == "gpt" else "")
        for row in rows
    }
    read = {
        Path(one["node"]).name: (one["start"], one["size"], one["type"], one.get("uuid", "").lower())
        for one in found.get("partitions", ())
    }
    tables = (found["label"], found["id"].lower()), (_LABELS[table], _label_id(table, uuid))
    if tables[0] != tables[1] or read != wanted:
        raise BuildError(f"checking the partition table of {name}: it is {tables[0]} {read}, not {tables[1]} {wanted}")


def _label_id(table: str, uuid: str) -> str:
    return uuid if table == "gpt" else f"0x{uuid[:8]}"


def _sectors(layout: Layout, row: Row) -> tuple[int, int]:
    place = layout.place(row.number)
    return place.start_bytes // SECTOR_BYTES, place.size_bytes // SECTOR_BYTES
