"""Reading and writing in a tree: nothing that is in it leads out of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fuel_image.errors import TreeError
from fuel_image.tree import root
from fuel_image.tree.root import Tree

from ...damage import deep


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    (tmp_path / "tree/etc").mkdir(parents=True)
    (tmp_path / "outside").mkdir()
    return Tree(tmp_path / "tree")


def test_a_link_out_of_the_tree_leads_into_it(tree: Tree, tmp_path: Path) -> None:
    os.symlink(tmp_path / "outside", tree.path / "away")
    with pytest.raises(TreeError):
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
    with pytest.raises(TreeError, match="no regular file"):
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
    with pytest.raises(TreeError):
        tree.read("/run/calls")
    with pytest.raises(TreeError), tree.writing("/run/apt/apt.conf") as file:
        file.write(b"ours")
    assert [path.name for path in outside.iterdir()] == ["file"]
    assert (outside / "file").read_text() == "the host's"


def test_a_failure_while_writing_leaves_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("old")
    with pytest.raises(ValueError, match="full"), Tree(tmp_path).writing("/file") as file:
        file.write(b"half")
        raise ValueError("full")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("file", "old")]


@pytest.mark.parametrize("odd", ["directory", "pipe", "loop", "nothing"])
def test_what_is_in_the_way_is_named(odd: str, tree: Tree) -> None:
    place = tree.path / "etc/odd"
    if odd == "directory":
        place.mkdir()
    elif odd == "pipe":
        os.mkfifo(place)
    elif odd == "loop":
        place.symlink_to("odd")
    with pytest.raises(TreeError, match=r"^reading /etc/odd in the tree: "):
        tree.read("/etc/odd")


def test_a_directory_where_a_file_is_to_be(tree: Tree) -> None:
    (tree.path / "etc/hosts").mkdir()
    with pytest.raises(TreeError, match=r"^writing /etc/hosts in the tree: Is a directory"):
        tree.write("/etc/hosts", "x")
    assert os.listdir(tree.path / "etc") == ["hosts"]


def test_a_file_where_a_directory_is_to_be(tree: Tree) -> None:
    (tree.path / "etc/file").touch()
    with pytest.raises(TreeError, match=r"^making the directory /etc/file/sub in the tree: Not a directory"):
        tree.mkdir("/etc/file/sub")


def test_what_has_no_end_is_not_read(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(root, "_LARGEST_BYTES", 1 << 20)
    (tree.path / "etc/shadow").write_bytes(b"x" * (1 << 20))
    assert len(tree.read("/etc/shadow")) == 1 << 20
    os.truncate(tree.path / "etc/shadow", 1 << 40)
    with pytest.raises(TreeError, match="has more than 1 MiB"):
        tree.read("/etc/shadow")


def test_a_link_put_where_a_directory_was_just_made_leads_nowhere(
    tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program that runs in the tree meanwhile may be quick."""
    before = (tmp_path / "outside").stat().st_mode
    mkdir = os.mkdir

    def and_swap(name: str, *, dir_fd: int) -> None:
        mkdir(name, dir_fd=dir_fd)
        os.rmdir(name, dir_fd=dir_fd)
        os.symlink(tmp_path / "outside", name, dir_fd=dir_fd)

    monkeypatch.setattr(os, "mkdir", and_swap)
    with pytest.raises(TreeError):
        tree.mkdir("/etc/apt", mode=0o777)
    assert (tmp_path / "outside").stat().st_mode == before


def test_a_walk_and_a_removal_may_be_deep(tree: Tree) -> None:
    deep(tree.path / "etc/deep", 1500)
    assert len(list(tree.walk_files("/etc"))) == 1500
    tree.empty("/etc")
    assert tree.names("/etc") == []
