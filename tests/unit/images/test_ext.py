"""The geometry of ext file systems; that it is enough for real trees, the integration tests show."""

from __future__ import annotations

import pytest

from fuel_image.errors import BuildError
from fuel_image.images.contents import Inventory
from fuel_image.images.ext import fixed_geometry, geometry
from fuel_image.images.filesystems import FILESYSTEMS, ext_features

EXT2 = FILESYSTEMS["ext2"].features
EXT4 = FILESYSTEMS["ext4"].modern_features


def inventory(files: list[int]) -> Inventory:
    return Inventory({}, frozenset(), len(files) + 1, files, [100], 0)


def test_an_empty_tree_takes_little() -> None:
    assert geometry(inventory([]), EXT2, 0).blocks * 4096 < 6 << 20


def test_the_reserve_is_added_and_content_rounds_up_to_blocks() -> None:
    small = geometry(inventory([1] * 100), EXT2, 0)
    assert geometry(inventory([4096] * 100), EXT2, 0) == small
    assert geometry(inventory([1] * 100), EXT2, 8 << 20).blocks - small.blocks >= 2048


def test_a_journal_only_where_there_is_one_and_larger_for_more_content() -> None:
    assert geometry(inventory([1]), EXT2, 0).journal_bytes == 0
    assert geometry(inventory([1]), EXT4, 0).journal_bytes == 8 << 20
    assert geometry(inventory([1 << 30]), EXT4, 0).journal_bytes == 64 << 20


def test_there_are_more_inodes_than_files() -> None:
    assert geometry(inventory([0] * 100_000), EXT4, 0).inodes > 110_000


def test_files_without_extents_need_blocks_of_pointers() -> None:
    big = inventory([1 << 30])
    without, with_extents = geometry(big, EXT2, 0), geometry(big, (*EXT2, "extent"), 0)
    assert without.blocks - with_extents.blocks >= (1 << 30) // 4096 // 1024


def test_a_given_size_is_kept_exactly_and_gives_more_inodes() -> None:
    found = fixed_geometry(inventory([1 << 20]), EXT4, 8 << 30)
    assert (found.blocks, found.inodes) == (2 << 20, 1 << 19)


def test_content_that_a_given_size_does_not_hold_is_told_with_the_numbers() -> None:
    with pytest.raises(BuildError, match=r"its content takes 1,1\d\d MiB, and it has 1,024"):
        fixed_geometry(inventory([1 << 30]), EXT4, 1 << 30)


@pytest.mark.parametrize(
    ("kind", "linux", "has", "lacks"),
    [
        ("ext4", (4, 4), "uninit_bg", "metadata_csum"),
        ("ext4", (6, 8), "metadata_csum", "orphan_file"),
        ("ext3", (6, 8), "has_journal", "extent"),
        ("ext2", (6, 8), "resize_inode", "has_journal"),
    ],
)
def test_features_follow_the_release(kind: str, linux: tuple[int, int], has: str, lacks: str) -> None:
    features = ext_features(kind, linux)
    assert has in features
    assert lacks not in features
