"""The partition table of a disk.

Owns its writing into a file, by sfdisk: no kernel is asked, and the same layout gives the same bytes. It must not
decide where a partition lies.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from fuel_image.host.command import run
from fuel_image.images.layout import Layout

SECTOR_BYTES = 512
_LABELS = {"gpt": "gpt", "mbr": "dos"}
_TYPES = {
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
    script = "".join(f"{line}\n" for line in _script(table, uuid, layout, rows))
    options = ("--quiet", "--no-reread", "--no-tell-kernel", "--wipe=never")
    run("sfdisk", *options, disk, stdin=script, doing=f"writing the partition table of {disk.name}")
    run("sfdisk", "--verify", disk, doing=f"checking the partition table of {disk.name}")


def _script(table: str, uuid: str, layout: Layout, rows: Sequence[Row]) -> Iterator[str]:
    """Give the lines of sfdisk(8)'s script."""
    yield f"label: {_LABELS[table]}"
    yield f"label-id: {uuid if table == 'gpt' else '0x' + uuid[:8]}"
    yield "unit: sectors"
    for row in rows:
        place = layout.place(row.number)
        start, size = place.start_bytes // SECTOR_BYTES, place.size_bytes // SECTOR_BYTES
        own = f", uuid={row.uuid}" if table == "gpt" else ", bootable" if row.kind == "root" else ""
        yield f"{row.number} : start={start}, size={size}, type={_TYPES[table][row.kind]}{own}"
