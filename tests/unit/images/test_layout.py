"""Where partitions lie: aligned, apart, inside the disk, and where machines and clouds look for them."""

from __future__ import annotations

import pytest

from fuel_image.errors import BuildError
from fuel_image.images.layout import MIB, Extent, Layout, Placed, lay_out

GIB = 1 << 30


def test_the_bios_boot_partition_is_first_and_the_one_that_grows_last() -> None:
    asked = [Extent(4, MIB), Extent(1, 512 * MIB), Extent(2, GIB, last=True), Extent(3, 256 * MIB)]
    assert lay_out(asked, None, 0) == Layout(
        1795 * MIB,
        (
            Placed(4, MIB, MIB),
            Placed(1, 2 * MIB, 512 * MIB),
            Placed(3, 514 * MIB, 256 * MIB),
            Placed(2, 770 * MIB, GIB),
        ),
    )


def test_the_rest_is_what_the_others_and_the_room_left_free_leave() -> None:
    placed = lay_out([Extent(1, 100 * MIB), Extent(2, None)], GIB, 64 * MIB)
    assert placed == Layout(GIB, (Placed(1, MIB, 100 * MIB), Placed(2, 101 * MIB, (1024 - 101 - 64 - 1) * MIB)))


def test_without_a_size_the_disk_ends_behind_the_second_table() -> None:
    assert lay_out([Extent(1, 10 * MIB)], None, 0).size_bytes == 12 * MIB
    assert lay_out([Extent(1, 10 * MIB)], None, 64 * MIB).size_bytes == 76 * MIB


def test_odd_sizes_become_whole_mebibytes() -> None:
    placed = lay_out([Extent(1, 1), Extent(2, MIB + 1)], None, 0)
    assert placed == Layout(5 * MIB, (Placed(1, MIB, MIB), Placed(2, 2 * MIB, 2 * MIB)))


def test_what_fits_exactly_fits() -> None:
    assert lay_out([Extent(1, 10 * MIB)], 12 * MIB, 0).size_bytes == 12 * MIB


@pytest.mark.parametrize(
    ("asked", "left_free_bytes"),
    [
        ([Extent(1, 11 * MIB)], 0),
        ([Extent(1, 10 * MIB)], MIB),
        ([Extent(1, 10 * MIB), Extent(2, None)], 0),
    ],
)
def test_what_does_not_fit_is_told_with_the_numbers(asked: list[Extent], left_free_bytes: int) -> None:
    with pytest.raises(BuildError, match=r"laying out a disk: its partitions take 1[23] MiB.*, and it has 12"):
        lay_out(asked, 12 * MIB, left_free_bytes)
