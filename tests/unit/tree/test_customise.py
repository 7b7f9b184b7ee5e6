"""What a request writes into a tree without any program of the tree."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fuel_image.customisation.asked import Customisation
from fuel_image.errors import BuildError, TreeError
from fuel_image.tree import clean, identity, kernel_settings, locales, settle, users
from fuel_image.tree.root import Tree


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    (tmp_path / "etc").mkdir()
    return Tree(tmp_path)


@pytest.mark.parametrize(
    ("hosts", "name", "wanted"),
    [
        (None, "node", settle.HOSTS.replace("localhost\n::1", "localhost\n127.0.1.1\tnode\n::1")),
        ("127.0.0.1 localhost\n127.0.1.1 old\n", "a.b.c", "127.0.0.1 localhost\n127.0.1.1\ta.b.c a\n"),
        ("::1 localhost\n", "node", "127.0.1.1\tnode\n::1 localhost\n"),
        ("", "node", "127.0.1.1\tnode\n"),
    ],
)
def test_a_hostname(tree: Tree, hosts: str | None, name: str, wanted: str) -> None:
    if hosts is not None:
        tree.write("/etc/hosts", hosts)
    identity.set_hostname(tree, name)
    assert tree.read("/etc/hosts") == wanted
    assert tree.read("/etc/hostname") == f"{name.partition('.')[0]}\n"


def test_a_time_zone(tree: Tree) -> None:
    tree.mkdir("/usr/share/zoneinfo/Europe")
    tree.write("/usr/share/zoneinfo/Europe/Berlin", "TZif2")
    tree.write("/usr/share/zoneinfo/tzdata", "no zone")
    tree.symlink("/etc/localtime", "/usr/share/zoneinfo/Etc/UTC")
    identity.set_timezone(tree, "Europe/Berlin")
    assert os.readlink(tree.path / "etc/localtime") == "/usr/share/zoneinfo/Europe/Berlin"
    assert tree.read("/etc/timezone") == "Europe/Berlin\n"
    for wrong, advice in (
        ("Europe/Berlim", "did you mean Europe/Berlin"),
        ("Europe", "did you mean Europe/Berlin"),
        ("US/Eastern", "tzdata-legacy"),
        ("tzdata", "did you mean tzdata"),
    ):
        with pytest.raises(BuildError, match=f"the tree has no {wrong}") as caught:
            identity.set_timezone(tree, wrong)
        assert advice in caught.value.advice


KERNEL = {
    "dep": "kernel/net/bridge/br_netfilter.ko.xz: kernel/net/bridge/bridge.ko.xz\nkernel/crypto/aes-ti.ko:\n",
    "builtin": "kernel/fs/ext4/ext4.ko\n",
    "alias": "# made by depmod\nalias fs-over* overlay\nalias pci:v0000* e1000\n",
}


def test_modules_of_the_tree_s_kernels(tree: Tree) -> None:
    kernel_settings.write_all(tree, Customisation(modules=("anything",)))
    tree.mkdir("/lib/modules/6.1")
    for name, text in KERNEL.items():
        tree.write(f"/lib/modules/6.1/modules.{name}", text)
    known = ("br_netfilter", "br-netfilter", "aes_ti", "ext4", "fs-overlay")
    kernel_settings.write_all(tree, Customisation(modules=known))
    assert tree.read("/etc/modules-load.d/fuel-image.conf").split() == list(known)
    with pytest.raises(BuildError, match="no kernel of the tree has br_netfiler") as caught:
        kernel_settings.write_all(tree, Customisation(modules=("ext4", "br_netfiler")))
    assert caught.value.advice == "did you mean br_netfilter?"


def test_a_system_without_a_locale_gets_the_one_that_every_tree_has(tree: Tree) -> None:
    locales.choose_default(tree)
    assert tree.read("/etc/default/locale") == "LANG=C.UTF-8\n"
    tree.write("/etc/default/locale", "#LANG=\n")
    locales.choose_default(tree)
    assert tree.read("/etc/default/locale") == "#LANG=\nLANG=C.UTF-8\n"
    tree.write("/etc/default/locale", "LANG=de_DE.UTF-8\n")
    locales.choose_default(tree)
    assert tree.read("/etc/default/locale") == "LANG=de_DE.UTF-8\n"


def test_a_choice_that_is_kept_elsewhere(tree: Tree) -> None:
    tree.mkdir("/etc/default")
    tree.symlink("/etc/default/locale", "../locale.conf")
    locales.choose_default(tree)
    assert tree.read("/etc/locale.conf") == tree.read("/etc/default/locale") == "LANG=C.UTF-8\n"


def test_what_is_not_asked_for_is_not_written(tree: Tree) -> None:
    kernel_settings.write_all(tree, Customisation())
    assert tree.names("/etc") == []


def test_owners(tree: Tree) -> None:
    tree.write("/etc/passwd", "root:x:0:0::/root:/bin/sh\ndeploy:x:1000:1001::/home/deploy:/bin/sh\n")
    tree.write("/etc/group", "root:x:0:\nadm:x:4:deploy\ndeploy:x:1001:\n")
    for written, wanted in (
        ("root:root", (0, 0)),
        ("deploy", (1000, 1001)),
        ("deploy:adm", (1000, 4)),
        ("7", (7, 7)),
        ("7:8", (7, 8)),
        ("7:adm", (7, 4)),
    ):
        assert users.owner(tree, written, "writing /a") == wanted
    with pytest.raises(BuildError, match="writing /a: the tree has no user deploi") as caught:
        users.owner(tree, "deploi", "writing /a")
    assert caught.value.advice == "did you mean deploy?"
    with pytest.raises(BuildError, match="the tree has no group wheel"):
        users.owner(tree, "root:wheel", "writing /a")


@pytest.mark.parametrize(
    ("path", "gone"),
    [
        ("/etc/machine-id", True),
        ("/etc/ssh/ssh_host_rsa_key", True),
        ("/etc/ssh/sshd_config", False),
        ("/var/log/mine/log", True),
        ("/var/tmp/x", True),
        ("/var/cache/apt/x.bin", True),
        ("/var/cache/apt/deeper/x.bin", False),
        ("/var/logs", False),
    ],
)
def test_what_no_image_holds(path: str, gone: bool) -> None:
    assert clean.removes(path) == gone


def test_what_is_moved_and_given(tree: Tree) -> None:
    tree.write("/etc/a", "1")
    tree.symlink("/etc/b", "a")
    tree.move("/etc/b", "/etc/c")
    assert os.readlink(tree.path / "etc/c") == "a" and tree.names("/etc") == ["a", "c"]
    tree.give("/etc/a", os.getuid(), os.getgid(), 0o4711)
    assert (tree.path / "etc/a").stat().st_mode & 0o7777 == 0o4711
    with pytest.raises(TreeError):
        tree.give("/etc/c", os.getuid(), os.getgid(), 0o600)
