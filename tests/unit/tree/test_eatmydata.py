"""The library that keeps dpkg from syncing."""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path

import pytest

from fuel_image.archive.packages import Package
from fuel_image.archive.pool import Pool
from fuel_image.errors import BuildError
from fuel_image.tree.eatmydata import PACKAGE, provide
from fuel_image.tree.root import Tree
from tests.debs import ar, member, tar

LIBRARY = "./usr/lib/x86_64-linux-gnu/libeatmydata.so.1.3.0"


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    (tmp_path / "tree/run").mkdir(parents=True)
    return Tree(tmp_path / "tree")


@pytest.fixture
def pool(tmp_path: Path) -> Pool:
    return Pool(tmp_path / "pool")


def placed(pool: Pool, deb: bytes) -> Package:
    """Put a package into the pool."""
    sha256 = hashlib.sha256(deb).hexdigest()
    pool.path(sha256).parent.mkdir(parents=True)
    pool.path(sha256).write_bytes(deb)
    return Package(PACKAGE, "1", "amd64", "", len(deb), sha256, False, False, "", (), (), 0)


def test_the_library_is_where_the_path_says(tree: Tree, pool: Pool) -> None:
    package = placed(pool, ar(("data.tar.gz", gzip.compress(tar([member(LIBRARY, b"hello")])))))
    path = provide(tree, pool, [package])
    assert path is not None
    assert (tree.path / path.lstrip("/")).read_bytes() == b"hello"


def test_without_a_package_there_is_none(tree: Tree, pool: Pool) -> None:
    assert provide(tree, pool, []) is None


def test_a_package_without_the_library_is_an_error(tree: Tree, pool: Pool) -> None:
    package = placed(pool, ar(("data.tar.gz", gzip.compress(tar([member("./etc/motd")])))))
    with pytest.raises(BuildError, match=r"libeatmydata1_1_amd64\.deb holds no libeatmydata\.so"):
        provide(tree, pool, [package])


@pytest.mark.parametrize("place", [-8, 30], ids=["check sum", "content"])
def test_a_damaged_package_is_an_error_that_names_it(place: int, tree: Tree, pool: Pool) -> None:
    data = bytearray(gzip.compress(tar([member(LIBRARY, b"hello")])))
    data[place] ^= 1
    package = placed(pool, ar(("data.tar.gz", bytes(data))))
    with pytest.raises(BuildError, match=r"libeatmydata1_1_amd64\.deb"):
        provide(tree, pool, [package])
