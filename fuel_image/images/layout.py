"""Where the partitions of a disk lie.

Owns the arithmetic from sizes to places. It must not know what is in a partition, or write anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fuel_image.errors import BuildError

MIB = 1 << 20
BIOS_BOOT_BYTES = MIB
"""Room for GRUB's core, which takes a tenth of it."""
_FIRST_BYTES = MIB
"""Before it: the table, and on an mbr GRUB's core."""
_SECOND_GPT_BYTES = MIB


@dataclass(frozen=True)
class Extent:
    """What a partition asks of a layout: a size, or None for what the others leave; to lie *last* on the disk."""

    number: int
    size_bytes: int | None
    last: bool = False


@dataclass(frozen=True)
class Placed:
    """A partition's place."""

    number: int
    start_bytes: int
    size_bytes: int


@dataclass(frozen=True)
class Layout:
    """A disk of *size_bytes*, with its partitions in the order in which they lie there."""

    size_bytes: int
    placed: tuple[Placed, ...]

    def place(self, number: int) -> Placed:
        """Return the place of a partition."""
        return next(one for one in self.placed if one.number == number)


def up_to_mib(size_bytes: int) -> int:
    """Return a size rounded up to whole MiB, at which every partition begins."""
    return -(-size_bytes // MIB) * MIB


def lay_out(extents: Sequence[Extent], size_bytes: int | None, left_free_bytes: int) -> Layout:
    """Place *extents*, at least *left_free_bytes* before the end; without *size_bytes* the disk is as large as needed.

    Raises BuildError with the numbers if they do not fit.
    """
    behind = left_free_bytes + _SECOND_GPT_BYTES
    fixed = sum(up_to_mib(one.size_bytes or 0) for one in extents)
    needed = _FIRST_BYTES + fixed + behind
    size = needed if size_bytes is None else size_bytes
    rest = size - needed
    if rest < 0 or (rest == 0 and any(one.size_bytes is None for one in extents)):
        raise BuildError(
            f"laying out a disk: its partitions take {needed // MIB:,} MiB, and it has {size // MIB:,}",
            advice="give the disk a larger size, or the partitions smaller ones",
        )
    start = _FIRST_BYTES
    placed = []
    for one in sorted(extents, key=lambda one: one.last):
        taken = rest if one.size_bytes is None else up_to_mib(one.size_bytes)
        placed.append(Placed(one.number, start, taken))
        start += taken
    return Layout(size, tuple(placed))
