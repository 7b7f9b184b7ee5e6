"""Where partitions lie."""

from __future__ import annotations

import pytest

from fuel_image.errors import BuildError
from fuel_image.images.layout import MIB, Extent, Placed, lay_out


def test_a_partition_that_grows_is_last_whatever_its_number() -> None:
    found = lay_out([Extent(1, 64 * MIB), Extent(2, None, last=True), Extent(3, 256 * MIB)], 1024 * MIB, 0)
    assert found.placed == (
        Placed(1, MIB, 64 * MIB),
        Placed(3, 65 * MIB, 256 * MIB),
        Placed(2, 321 * MIB, 702 * MIB),  # one is left for the second GPT
    )


def test_a_disk_without_a_size_is_as_large_as_needed() -> None:
    found = lay_out([Extent(2, MIB), Extent(1, 10 * MIB + 1)], None, 64 * MIB)
    assert found.size_bytes == (1 + 1 + 11 + 64 + 1) * MIB
    assert found.place(1) == Placed(1, 2 * MIB, 11 * MIB)


@pytest.mark.parametrize("rest", [None, MIB])
def test_what_does_not_fit_is_told_in_numbers(rest: int | None) -> None:
    with pytest.raises(BuildError, match="its partitions take 102 MiB, and it has 100" if rest is None else "103 MiB"):
        lay_out([Extent(1, 100 * MIB), Extent(2, rest)], 100 * MIB, 0)
