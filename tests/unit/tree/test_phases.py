"""What hooks are given, and how elements are put together."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fuel_image.elements import lint
from fuel_image.elements.asked import Chosen
from fuel_image.elements.element import Element
from fuel_image.elements.hooks import PHASES
from fuel_image.request import Proxies
from fuel_image.tree import phases
from fuel_image.tree.root import Tree

from ..elements.making import written


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    (tmp_path / "tree/tmp").mkdir(parents=True)
    (tmp_path / "tree/etc").mkdir()
    return Tree(tmp_path / "tree")


def around(tmp_path: Path, *elements: Element, **environment: str) -> phases.Surroundings:
    chosen = Chosen(elements, tuple(environment.items()))
    proxies = Proxies((("http", "http://proxy.example.org:3128"),), ("10.0.0.1", "mirror.example.org"))
    places = tmp_path / "own", tmp_path / "cache"
    return phases.Surroundings(chosen, "amd64", "noble", "http://mirror", proxies, *places, shell=False)


def test_lint_knows_what_hooks_are_given(tmp_path: Path) -> None:
    given = phases._given(PHASES[0], around(tmp_path))
    assert {name for name in given if name.startswith("DIB_")} == lint.GIVEN - {"DIB_INIT_SYSTEM"}


def test_the_root_is_named_in_two_phases(tmp_path: Path) -> None:
    named = [phase.name for phase in PHASES if "TARGET_ROOT" in phases._given(phase, around(tmp_path))]
    assert named == ["root", "cleanup"]


def test_variables_of_the_request_win(tmp_path: Path) -> None:
    given = phases._given(PHASES[1], around(tmp_path, Element("a", Path("/e/a")), DIB_RELEASE="other"))
    assert given["DIB_RELEASE"] == "other"
    assert (given["http_proxy"], given["no_proxy"]) == ("http://proxy.example.org:3128", "10.0.0.1,mirror.example.org")
    assert given["BASH_FUNC_get_image_element_array%%"] == '() {  echo "[a]=/e/a "\n}'
    assert given["IMAGE_ELEMENT_YAML"] == "a: /e/a\n"


def test_directories_of_the_same_name_become_one(tree: Tree, tmp_path: Path) -> None:
    written(tmp_path / "a", {"*install.d/10-a": "a", "static/etc/a": "", "tests/x": "", "pkg-map": "{}"})
    written(tmp_path / "b", {"install.d/20-b": "b", "static/.gitkeep": "", "static/etc/.kept": ""})
    (tmp_path / "b/static/private").mkdir(mode=0o700)
    (tmp_path / "b/static/link").symlink_to("etc/a")
    (tmp_path / "shared").mkdir()
    written(tmp_path, {"*shared/30-c": "c"})
    (tmp_path / "c").mkdir()
    (tmp_path / "c/install.d").symlink_to(tmp_path / "shared")
    phases.gather(tree, [Element(name, tmp_path / name) for name in "abc"])
    top = tree.path / "tmp/in_target.d"
    assert sorted(os.listdir(top)) == ["dib-run-parts", "install.d", "pkg-map", "static"]
    assert sorted(os.listdir(top / "install.d")) == ["10-a", "20-b", "30-c"]
    assert [(top / "install.d" / name).stat().st_mode & 0o777 for name in ("10-a", "20-b")] == [0o755, 0o644]
    assert sorted(os.listdir(top / "static")) == ["etc", "link", "private"]
    assert sorted(os.listdir(top / "static/etc")) == [".kept", "a"]
    assert (top / "static/private").stat().st_mode & 0o777 == 0o700
    assert os.readlink(top / "static/link") == "etc/a"


def test_resolv_conf_is_put_back(tree: Tree) -> None:
    tree.write("/etc/resolv.conf", "of the tree\n")
    with phases._resolving(tree):
        assert tree.read("/etc/resolv.conf.ORIG") == "of the tree\n"
        tree.write("/etc/resolv.conf.ORIG", "of a hook\n")
    assert not tree.exists("/etc/resolv.conf")
    phases.leave(tree, Chosen())
    assert tree.read("/etc/resolv.conf") == "of a hook\n" and not tree.exists("/etc/resolv.conf.ORIG")


def test_a_resolv_conf_of_hooks_stays(tree: Tree) -> None:
    with phases._resolving(tree):
        tree.remove("/etc/resolv.conf")
        tree.symlink("/etc/resolv.conf", "../run/systemd/resolve/stub-resolv.conf")
    with phases._resolving(tree):
        pass
    phases.leave(tree, Chosen())
    assert os.readlink(tree.path / "etc/resolv.conf") == "../run/systemd/resolve/stub-resolv.conf"
