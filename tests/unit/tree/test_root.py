"""Reading and writing in a tree: nothing that is in it leads out of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fuel_image.tree.root import Tree


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    (tmp_path / "tree/etc").mkdir(parents=True)
    (tmp_path / "outside").mkdir()
    return Tree(tmp_path / "tree")


def test_a_link_out_of_the_tree_leads_into_it(tree: Tree, tmp_path: Path) -> None:
    os.symlink(tmp_path / "outside", tree.path / "away")
    with pytest.raises(FileNotFoundError):
        tree.write("/away/file", "x")
    (tree.path / str(tmp_path / "outside").lstrip("/")).mkdir(parents=True)
    tree.write("/away/file", "x")
    assert list((tmp_path / "outside").iterdir()) == []


def test_a_link_at_the_place_of_a_file_is_replaced(tree: Tree, tmp_path: Path) -> None:
    (tmp_path / "outside/file").write_text("host")
    os.symlink(tmp_path / "outside/file", tree.path / "etc/hosts")
    tree.write("/etc/hosts", "tree")
    assert (tmp_path / "outside/file").read_text() == "host"
    assert tree.read("/etc/hosts") == "tree"


def test_dots_do_not_lead_out(tree: Tree, tmp_path: Path) -> None:
    tree.write("/../../file", "x")
    assert (tree.path / "file").read_text() == "x"
    assert not (tmp_path / "file").exists()


def test_removing_does_not_follow_links(tree: Tree, tmp_path: Path) -> None:
    (tmp_path / "outside/file").touch()
    (tree.path / "etc/dir").mkdir()
    os.symlink(tmp_path / "outside", tree.path / "etc/dir/link")
    os.symlink(tmp_path / "outside", tree.path / "link")
    tree.remove("/etc/dir")
    tree.empty("/link")
    tree.remove("/link")
    tree.remove("/nothing/there")
    assert (tmp_path / "outside/file").exists()
    assert tree.names("/") == ["etc"]


def test_a_replaced_file_keeps_its_mode(tree: Tree) -> None:
    (tree.path / "etc/shadow").touch()
    (tree.path / "etc/shadow").chmod(0o640)
    tree.write("/etc/shadow", "root:*:\n")
    assert (tree.path / "etc/shadow").stat().st_mode & 0o777 == 0o640
