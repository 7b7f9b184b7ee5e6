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


def test_a_pipe_in_the_place_of_a_file_does_not_hold_anybody_up(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "calls")
    with pytest.raises(OSError, match="no regular file"):
        Tree(tmp_path).read("/calls")


def test_what_is_read_and_written_through_links_stays_inside(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_text("the host's")
    inside = tmp_path / "tree"
    (inside / "run").mkdir(parents=True)
    (inside / "run/apt").symlink_to(outside)
    (inside / "run/calls").symlink_to(outside / "file")
    tree = Tree(inside)
    with pytest.raises(FileNotFoundError):
        tree.read("/run/calls")
    with pytest.raises(FileNotFoundError), tree.writing("/run/apt/apt.conf") as file:
        file.write(b"ours")
    assert [path.name for path in outside.iterdir()] == ["file"]
    assert (outside / "file").read_text() == "the host's"


def test_a_failure_while_writing_leaves_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("old")
    with pytest.raises(ValueError, match="full"), Tree(tmp_path).writing("/file") as file:
        file.write(b"half")
        raise ValueError("full")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("file", "old")]
