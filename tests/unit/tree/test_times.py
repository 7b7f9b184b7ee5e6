"""Which times a build leaves."""

from __future__ import annotations

from pathlib import Path

from fuel_image.tree import times
from fuel_image.tree.root import Tree
from fuel_image.tree.times import Times

DAY = 86_400


def test_a_password_is_changed_on_no_day_of_the_build(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    tree = Tree(tmp_path)
    tree.write("/etc/shadow", "root:*:20778:0:99999:7:::\na:!:19000:0::\nb:!::0::\nc:!:999999999:0::\nodd\n")
    times.settle(tree, Times(19_900 * DAY + 5, 19_838 * DAY + 7))
    assert tree.read("/etc/shadow").splitlines() == [
        *("root:*:19838:0:99999:7:::", "a:!:19000:0::", "b:!::0::", "c:!:19838:0::", "odd")
    ]
    assert (tmp_path / "etc/shadow").stat().st_mtime == 19_838 * DAY + 7
    before = (tmp_path / "etc/shadow").stat().st_ino
    times.settle(tree, Times(19_900 * DAY, 19_838 * DAY))
    assert (tmp_path / "etc/shadow").stat().st_ino == before
