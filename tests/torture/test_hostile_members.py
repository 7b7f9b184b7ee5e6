"""Kept in the tree: members of packages, unpacked by our own program."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tarfile
from pathlib import Path

import pytest

from fuel_image.errors import CommandError
from fuel_image.tree.root import Tree
from tests.debs import Debs, link, member
from tests.integration.test_unpack import assert_same, debs, dpkg, left, outside_of, tree, unpacked

__all__ = ["debs", "tree"]


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/file").write_text("the host's")
    os.utime(tmp_path / "outside/file", (1, 1))
    return tmp_path / "outside"


def test_dots_and_links_do_not_lead_out_of_the_tree(debs: Debs, tree: Tree, outside: Path) -> None:
    """Dots, absolute names and links of other packages lead a file of a package to a place in the tree."""
    up = "../" * 20
    away = str(outside)
    (tree.path / away.lstrip("/")).mkdir(parents=True)
    before = outside_of(tree)
    links = debs.make("links", link("./away", away), link("./up", up + away), link("./dir", away))
    assert not any(one.left for one in unpacked(tree, [links]))
    paths = [
        debs.make("dots", member(f"./{up}dots", b"x")),
        debs.make("inner", member("./a/"), member("./a/../../../inner", b"x")),
        debs.make("absolute", member("./away/absolute", b"x")),
        debs.make("upwards", member("./up/upwards", b"x")),
        debs.make("directory", member("./dir/", mode=0o777), member("./dir/sub/")),
    ]
    assert not any(one.left for one in unpacked(tree, paths))
    assert outside_of(tree) == before
    assert {path.name for path in (tree.path / away.lstrip("/")).iterdir()} == {"absolute", "upwards", "sub"}
    assert {"dots", "inner"} <= {path.name for path in tree.path.iterdir()}


def test_a_package_cannot_go_through_a_link_of_its_own(debs: Debs, tree: Tree, outside: Path) -> None:
    """A package whose files go through a link of its own is left for dpkg, which refuses it."""
    before = outside_of(tree)
    deb = debs.make("through", link("./away", str(outside)), member("./away/file", b"x"))
    assert left(tree, deb) == [True]
    assert not os.path.lexists(tree.path / "away")
    assert outside_of(tree) == before
    with pytest.raises(AssertionError, match="No such file or directory"):
        dpkg(tree.path, "--unpack", deb)


def test_a_hard_link_to_a_file_of_the_host_cannot_be_made(debs: Debs, tree: Tree, outside: Path) -> None:
    """A hard link to a file of the host cannot be made."""
    before = outside_of(tree)
    for target in (f"{outside}/file", "../" * 20 + f"{outside}/file"):
        deb = debs.make("stealing", link("./stolen", target, tarfile.LNKTYPE))
        assert left(tree, deb) == [True]
        assert not os.path.lexists(tree.path / "stolen")
    assert outside_of(tree) == before


@pytest.mark.parametrize("name", ["../../../../evil", "a/b", "/evil", "..", "", "a\x00b", "Evil", "a:b"])
@pytest.mark.usefixtures("outside")
@pytest.mark.parametrize("fields", ["", "Multi-Arch: same\n"])
def test_a_package_with_a_name_that_is_none_is_an_error(name: str, fields: str, debs: Debs, tree: Tree) -> None:
    """A package whose name is a path, or none, is an error."""
    before = outside_of(tree)
    control = f"Package: {name}\nVersion: 1\nArchitecture: amd64\n{fields}"
    with pytest.raises(CommandError) as caught:
        unpacked(tree, [debs.make("hostile", member("./file"), control=control)])
    assert "hostile.deb: " in caught.value.tail[-1]
    assert outside_of(tree) == before
    assert not list(tree.path.rglob("*evil*"))


@pytest.mark.parametrize("architecture", ["../../../../evil", "a/b", ""])
def test_an_architecture_that_is_none_is_an_error(architecture: str, debs: Debs, tree: Tree) -> None:
    """An architecture that is a path, or none, is an error."""
    control = f"Package: hostile\nVersion: 1\nArchitecture: {architecture}\nMulti-Arch: same\n"
    with pytest.raises(CommandError) as caught:
        unpacked(tree, [debs.make("hostile", member("./file"), control=control)])
    assert "hostile.deb: " in caught.value.tail[-1]


def test_a_line_break_in_a_name_is_an_error_as_with_dpkg(debs: Debs, tree: Tree, tmp_path: Path) -> None:
    """A line break in the name of a file is an error, as it is with dpkg."""
    deb = debs.make("broken", member("./opt/"), member("./opt/one\n/etc/passwd", b"x"))
    with pytest.raises(AssertionError, match="newline not allowed"):
        dpkg(tmp_path / "theirs", "--unpack", deb)
    with pytest.raises(CommandError) as caught:
        unpacked(tree, [deb])
    assert "broken.deb: " in caught.value.tail[-1]


def test_a_control_file_cannot_pass_for_the_list_of_paths(debs: Debs, tree: Tree, tmp_path: Path) -> None:
    """A control file cannot pass for dpkg's list of a package's files."""
    assert_same(tree, tmp_path, [debs.make("lying", member("./opt/"), member("./opt/x", b"x"), list="/etc/passwd\n")])


def test_a_trigger_with_a_path_for_a_name_stays_inside(debs: Debs, tree: Tree, outside: Path) -> None:
    """A trigger whose name is a path leads to a place in the tree."""
    (tree.path / outside.name).mkdir()
    before = outside_of(tree)
    up = "../" * len(Path("ours/var/lib/dpkg/triggers").parts)
    unpacked(tree, [debs.make("odd", triggers=f"interest-noawait {up}{outside.name}/made\n")])
    assert outside_of(tree) == before
    assert (tree.path / outside.name / "made").read_text() == "odd/noawait\n"


@pytest.mark.parametrize(
    ("use", "module"),
    [("import colorsys", "colorsys.py"), ("'x'.encode('cp037')", "encodings/cp037.py")],
    ids=["module", "encoding"],
)
def test_no_module_of_the_tree_is_imported(use: str, module: str, debs: Debs, tree: Tree) -> None:
    """No module that a package puts where Python looks is run by our own programs."""
    planted = tree.path / sysconfig.get_path("stdlib")[1:] / module
    planted.parent.mkdir(parents=True)
    planted.write_text("print('planted')")
    deb = debs.make("good", member("./opt/"), member("./opt/file", b"x"))
    program = f"import sys; from fuel_image.tree import unpack; unpack.main(sys.argv[1:]); print('unpacked'); {use}"
    ended = subprocess.run(
        [sys.executable, "-c", program, tree.path, os.devnull],
        check=False,
        input=str(deb),
        capture_output=True,
        text=True,
    )
    assert ended.stdout == "unpacked\n"
    assert ended.stderr.splitlines()[-1].startswith(("ModuleNotFoundError: ", "LookupError: "))
