"""One file system of any kind, made from a part of a tree.

Owns the choice how a kind is made, and what is known of the part beforehand. It must not decide which part that is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fuel_image.images import ext, filled
from fuel_image.images.contents import Inventory
from fuel_image.images.filesystems import FILESYSTEMS

_LARGEST_JOURNAL_BYTES = 128 << 20


@dataclass(frozen=True)
class Source:
    """What goes into one file system: the view of a tree at *top*, and its inventory."""

    top: Path
    inventory: Inventory

    @property
    def content_bytes(self) -> int:
        """What the files hold."""
        return sum(self.inventory.file_bytes)

    @property
    def room_bytes(self) -> int:
        """About how much room an image takes before it is compressed; its journal is written, its reserve is not."""
        return int(self.content_bytes * 1.1) + (self.inventory.inodes << 10) + _LARGEST_JOURNAL_BYTES


def make(
    image: Path,
    source: Source,
    *,
    kind: str,
    features: Sequence[str],
    label: str | None,
    uuid: str,
    reserve_bytes: int,
    linux: tuple[int, int],
    epoch: int,
    size_bytes: int | None = None,
    start_bytes: int = 0,
) -> None:
    """Make a file system of *kind* in the file *image*; see the modules of the kinds. Raises BuildError.

    One that mkfs fills may begin at *start_bytes* of a disk.
    """
    if FILESYSTEMS[kind].populated:
        ext.make(
            image, source.top, source.inventory, features=features, label=label, uuid=uuid,
            reserve_bytes=reserve_bytes, epoch=epoch, size_bytes=size_bytes, start_bytes=start_bytes,
        )  # fmt: skip
    else:
        filled.make(
            image, source.top, source.inventory, kind=kind, label=label, uuid=uuid,
            reserve_bytes=reserve_bytes, linux=linux, size_bytes=size_bytes,
        )  # fmt: skip
