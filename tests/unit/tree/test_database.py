"""What dpkg and apt are told of packages that were unpacked without them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from fuel_image.tree import database
from fuel_image.tree.root import Tree
from fuel_image.tree.unpack import Unpacked

TRIGGERS = "/var/lib/dpkg/triggers"


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    made = Tree(tmp_path)
    made.mkdir("/var/lib/dpkg/info")
    made.mkdir("/var/lib/apt")
    database.begin(made)
    return made


def unpacked(
    name: str,
    triggers: str = "",
    paths: Sequence[str] = (),
    fields: str = "",
    conffiles: Mapping[str, str] | None = None,
) -> Unpacked:
    control = f"Package: {name}\nVersion: 1\nArchitecture: amd64\n{fields}"
    return Unpacked(control, conffiles=dict(conffiles or {}), triggers=triggers, paths=list(paths))


def noted(tree: Tree) -> dict[str, list[str]]:
    return {name: tree.read(f"{TRIGGERS}/{name}").splitlines() for name in tree.names(TRIGGERS)}


def test_a_new_database_is_empty(tree: Tree) -> None:
    home = "/var/lib/dpkg"
    assert tree.names(home) == ["available", "info", "status", "triggers"]
    assert [tree.read(f"{home}/{name}") for name in ("available", "status", "info/format")] == ["", "", "1\n"]


def test_packages_are_added_to_those_that_are_there(tree: Tree) -> None:
    database.add(tree, [unpacked("a", conffiles={"/etc/a": "", "/etc/b c": "", "/etc/d": "remove-on-upgrade"})])
    database.add(tree, [unpacked("b", fields="Description: x\n y\n .\n z\n\n"), unpacked("c")])
    assert tree.read("/var/lib/dpkg/status") == (
        "Status: install ok unpacked\nPackage: a\nVersion: 1\nArchitecture: amd64\n"
        "Conffiles:\n /etc/a newconffile\n /etc/b c newconffile\n /etc/d newconffile remove-on-upgrade\n\n"
        "Status: install ok unpacked\nPackage: b\nVersion: 1\nArchitecture: amd64\nDescription: x\n y\n .\n z\n\n"
        "Status: install ok unpacked\nPackage: c\nVersion: 1\nArchitecture: amd64\n\n"
    )
    assert noted(tree) == {}


@pytest.mark.parametrize("control", ["Description: a\x0cb", "Description: a\x85b", "Description: a\u2028b\n c\x1cd"])
def test_only_a_line_feed_breaks_a_line_of_a_stanza(control: str, tree: Tree) -> None:
    database.add(tree, [unpacked("a", fields=control)])
    assert tree.read("/var/lib/dpkg/status").split("\n\n")[0].split("\n", 4)[4] == control


@pytest.mark.parametrize(
    ("line", "file", "note"),
    [
        ("interest x", "x", "a"),
        ("interest-await x", "x", "a"),
        ("interest-noawait x", "x", "a/noawait"),
        ("interest /usr/x y", None, ""),
        ("interest /usr/x", "File", "/usr/x a"),
        ("interest-noawait /usr/x", "File", "/usr/x a/noawait"),
        ("\t interest \t x \t", "x", "a"),
        ("interest x # not y", "x", "a"),
        ("# interest x", None, ""),
        ("interest", None, ""),
        ("interested x", None, ""),
        ("activate x", None, ""),
    ],
)
def test_an_interest_is_noted_with_the_package(line: str, file: str | None, note: str, tree: Tree) -> None:
    database.add(tree, [unpacked("a", f"\n{line}\n")])
    assert noted(tree) == ({} if file is None else {file: [note]})


def test_a_package_that_may_be_installed_twice_is_noted_with_its_architecture(tree: Tree) -> None:
    triggers = "interest x\ninterest-noawait /usr/x\n"
    database.add(tree, [unpacked("a", triggers), unpacked("b", triggers, fields="Multi-Arch: same\n")])
    assert noted(tree) == {"x": ["a", "b:amd64"], "File": ["/usr/x a/noawait", "/usr/x b:amd64/noawait"]}


def activated(tree: Tree) -> list[str]:
    return noted(tree).get("Unincorp", [])


def test_what_is_activated_is_noted_once_and_in_order_if_an_earlier_package_wants_it(tree: Tree) -> None:
    database.add(tree, [unpacked("a", "interest z\ninterest x\ninterest /usr/lib\ninterest /etc/file\n")])
    assert activated(tree) == []
    others = [
        unpacked("b", "activate z\nactivate-noawait x\nactivate unknown\n"),
        unpacked("c", "activate-await z", ("/", "/usr", "/usr/lib", "/usr/lib/deep/er", "/etc", "/etc/file")),
    ]
    database.add(tree, others)
    assert activated(tree) == ["/etc/file -", "/usr/lib -", "x -", "z -"]


def test_packages_that_came_together_tell_each_other_nothing(tree: Tree) -> None:
    """Who is configured later than it was told of has seen it all."""
    both = [unpacked("a", "interest x\ninterest /usr/lib\n"), unpacked("b", "activate x\n", ("/usr/lib/b",))]
    database.add(tree, both)
    assert activated(tree) == []
    database.add(tree, [unpacked("c", "activate x\n", ("/usr/lib/c",))])
    assert activated(tree) == ["/usr/lib -", "x -"]


def test_what_dpkg_has_noted_already_stays(tree: Tree) -> None:
    database.add(tree, [unpacked("a", "interest x\n")])
    tree.write(f"{TRIGGERS}/Unincorp", "other d\n")
    tree.write(f"{TRIGGERS}/Lock", "")
    database.add(tree, [unpacked("b", "activate x\nactivate Lock\nactivate Unincorp\n")])
    assert activated(tree) == ["other d", "x -"]


@pytest.mark.parametrize("path", ["/usr/library", "/usr/li", "/usr", "/", "/usr/share/usr/lib"])
def test_a_path_that_only_begins_alike_activates_nothing(path: str, tree: Tree) -> None:
    database.add(tree, [unpacked("a", "interest /usr/lib\n")])
    database.add(tree, [unpacked("b", paths=(path,))])
    assert activated(tree) == []


def test_whether_dpkg_leaves_files_out(tree: Tree) -> None:
    assert not database.filters(tree)
    tree.mkdir("/etc/dpkg/dpkg.cfg.d")
    tree.write("/etc/dpkg/dpkg.cfg.d/speed", "force-unsafe-io\n")
    assert not database.filters(tree)
    tree.write("/etc/dpkg/dpkg.cfg.d/excludes", "# smaller\npath-exclude=/usr/share/doc/*\n")
    assert database.filters(tree)


def test_dpkg_s_own_configuration_may_leave_files_out_too(tree: Tree) -> None:
    tree.mkdir("/etc/dpkg")
    tree.write("/etc/dpkg/dpkg.cfg", "path-exclude /usr/share/man/*\n")
    assert database.filters(tree)


def test_marks_are_written_anew_after_those_that_were_there(tree: Tree) -> None:
    assert database.automatic(tree) == ""
    database.mark_automatic(tree, "", ["a"], "amd64")
    marks = database.automatic(tree)
    assert marks == "Package: a\nArchitecture: amd64\nAuto-Installed: 1\n\n"
    tree.write("/var/lib/apt/extended_states", "what apt made of it meanwhile")
    database.mark_automatic(tree, marks, ["b", "c"], "amd64")
    assert database.automatic(tree) == "".join(marks.replace(": a\n", f": {name}\n") for name in "abc")
