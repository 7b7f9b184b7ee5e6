"""The forms in which a whole disk is published.

Owns the table DISK_FORMATS: how each is made of a raw disk. The disk's sums are taken elsewhere.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Callable
from uuid import UUID

from fuel_image.host.command import run
from fuel_image.host.cpus import cpus
from fuel_image.images import identity, qcow2
from fuel_image.progress import Step

QCOW2 = "qcow2"


@dataclass(frozen=True)
class DiskFormat:
    """A form that qemu-img makes, as it calls it, with *options*; no *name* where it is not needed.

    *identify* replaces what it made up.
    """

    name: str = ""
    options: str = ""
    identify: Callable[[BinaryIO, UUID], None] | None = None

    @property
    def tools(self) -> tuple[str, ...]:
        """The host programs that it takes."""
        return ("qemu-img",) if self.name else ()


DISK_FORMATS: Mapping[str, DiskFormat] = {
    "raw": DiskFormat(),
    QCOW2: DiskFormat(),
    # what ESXi and clouds import
    "vmdk": DiskFormat("vmdk", "subformat=streamOptimized,adapter_type=lsilogic", identity.of_vmdk),
    "vhdx": DiskFormat("vhdx", "subformat=dynamic", identity.of_vhdx),
    "vdi": DiskFormat("vdi", "", identity.of_vdi),
}


def written(
    disk: Path, form: str, compression: str, uuid: str, target: Path, step: Step, stopped: threading.Event
) -> Path:
    """Return the file that holds the raw *disk* in a form: *target*, or the disk itself.

    Where the form has an identity it comes of *uuid*. Raises BuildError.
    """
    row = DISK_FORMATS[form]
    if form == QCOW2:
        with target.open("w+b") as file:
            qcow2.write(disk, file, compression=compression, threads=cpus(), step=step, stopped=stopped)
        return target
    if row.name:
        options = ("-o", row.options) if row.options else ()
        run("qemu-img", "convert", "-f", "raw", "-O", row.name, *options, disk, target, doing=f"writing {target.name}")
        if row.identify is not None:
            with target.open("r+b") as file:
                row.identify(file, UUID(uuid))
        return target
    return disk
