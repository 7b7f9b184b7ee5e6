"""What a tree must know of the disk that it will boot from.

Owns the facts that the boot loader, fstab and the growing at first boot are made from. It must not know how the disk is
made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class MachinePartition:
    """A partition: its *number* in the table, the *uuid* of its file system or swap, which *mount* is None for."""

    number: int
    format: str
    uuid: str
    mount: str | None
    grow: bool


@dataclass(frozen=True)
class MachineDisk:
    """A disk with a gpt or mbr as its *table*, that the *firmwares* bios and uefi are to start."""

    table: str
    firmwares: tuple[str, ...]
    partitions: tuple[MachinePartition, ...]

    @property
    def mounted(self) -> Sequence[MachinePartition]:
        """The partitions that are mounted, the deepest mount points first."""
        found = [one for one in self.partitions if one.mount is not None]
        return sorted(found, key=lambda one: (-len(one.mount or ""), one.mount))

    def holding(self, path: str) -> MachinePartition:
        """Return the partition on which a path of the tree lies."""
        return next(
            one for one in self.mounted if path == one.mount or path.startswith(f"{one.mount}/".replace("//", "/"))
        )

    def place(self, path: str) -> str:
        """Return a path of the tree as it is called inside the partition on which it lies."""
        mount = self.holding(path).mount or "/"
        return path if mount == "/" else path[len(mount) :] or "/"
