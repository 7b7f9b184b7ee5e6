"""Unpacking without dpkg: the same tree and the same database as the host's own dpkg makes."""

from __future__ import annotations

import hashlib
import io
import os
import pwd
import resource
import shutil
import subprocess
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Callable

import pytest

from fuel_image.errors import CommandError
from fuel_image.host.mounts import mounted
from fuel_image.tree import ahead, database
from fuel_image.tree.root import Tree
from fuel_image.tree.unpack import Unpacked
from tests.damage import flipped
from tests.debs import COMPRESS, MTIME, Debs, link, long_names, member, tar

from .images import facts


@pytest.fixture
def debs(tmp_path: Path) -> Debs:
    (tmp_path / "debs").mkdir()
    return Debs(tmp_path / "debs")


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """Return an empty tree with an empty database."""
    (tmp_path / "ours").mkdir()
    made = Tree(tmp_path / "ours")
    made.mkdir("/var/lib/dpkg/info")
    database.begin(made)
    return made


def unpacked(tree: Tree, paths: Sequence[Path]) -> list[Unpacked]:
    """Unpack packages as a build does, and return what became of each."""
    done = ahead.unpack(tree, paths)
    database.add(tree, [one for one in done if not one.left])
    return done


def dpkg(root: Path, *argv: object) -> None:
    for name in ("info", "updates", "triggers"):
        (root / "var/lib/dpkg" / name).mkdir(parents=True, exist_ok=True)
    (root / "var/lib/dpkg/status").touch()
    options = ("--force-unsafe-io", "--force-confdef", "--log=/dev/null")
    ended = subprocess.run(
        [str(one) for one in ("dpkg", f"--root={root}", *options, *argv)],
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"},
    )
    assert ended.returncode == 0, ended.stdout.decode(errors="replace")


def files(root: Path) -> dict[str, tuple[object, ...]]:
    """Return everything that can be known of each path but those of dpkg's database.

    A directory in which something was made has the time of that; what is in a database is compared by its meaning.
    """
    found: dict[str, tuple[object, ...]] = {}
    names: dict[tuple[int, int], list[str]] = {}
    for path in root.rglob("*"):
        inside = str(path.relative_to(root))
        if inside.startswith("var"):
            continue
        one = facts(path)
        if path.is_dir() and not path.is_symlink() and any(path.iterdir()):
            one = one._replace(mtime=None)
        status = path.lstat()
        names.setdefault((status.st_dev, status.st_ino), []).append(inside)
        found[inside] = one
    return {path: (*found[path], sorted(group)) for group in names.values() for path in group}


def stanzas(root: Path) -> dict[str, dict[str, str]]:
    """Return the status file's fields by package and name."""
    found = {}
    text = (root / "var/lib/dpkg/status").read_bytes().decode("utf-8", "surrogateescape")
    for stanza in filter(None, text.strip("\n").split("\n\n")):
        fields: dict[str, str] = {}
        for line in stanza.split("\n"):
            if line[:1] not in (" ", "\t"):
                name, _, value = line.partition(":")
                fields[name] = value.strip()
            else:
                fields[name] += f"\n{line}"
        found[fields["Package"]] = fields
    return found


def info(root: Path) -> dict[str, tuple[object, ...]]:
    found: dict[str, tuple[object, ...]] = {}
    for path in (root / "var/lib/dpkg/info").iterdir():
        status = path.stat()
        # dpkg makes the digests that a package does not bring.
        mtime = status.st_mtime if status.st_mtime <= MTIME else None
        found[path.name] = (oct(status.st_mode), status.st_uid, mtime, path.read_bytes())
    return found


def triggers(root: Path) -> dict[str, list[bytes]]:
    """Return what is noted of each trigger, in no order: dpkg's is that of a table of its own."""
    directory = root / "var/lib/dpkg/triggers"
    found = {path.name: sorted(path.read_bytes().splitlines()) for path in directory.iterdir()}
    return {name: lines for name, lines in found.items() if lines and name != "Lock"}


def assert_like_dpkg(ours: Path, theirs: Path) -> None:
    looks: list[Callable[[Path], dict[Any, Any]]] = [files, info, stanzas, triggers]
    for look in looks:
        mine, wanted = look(ours), look(theirs)
        differ = sorted(key for key in wanted.keys() | mine.keys() if mine.get(key) != wanted.get(key))
        assert [(key, mine.get(key)) for key in differ] == [(key, wanted.get(key)) for key in differ]


def assert_same(tree: Tree, tmp_path: Path, paths: Sequence[Path], *, halfway: bool = True) -> None:
    """Have dpkg unpack the same packages, and compare; then have it configure both, and compare again.

    Without *halfway* only at the end: until then dpkg may have more to tell than we told it.
    """
    theirs = tmp_path / "theirs"
    dpkg(theirs, "--unpack", *paths)
    assert not any(one.left for one in unpacked(tree, paths))
    if halfway:
        assert_like_dpkg(tree.path, theirs)
    for root in (tree.path, theirs):
        dpkg(root, "--configure", "-a")
    assert_like_dpkg(tree.path, theirs)
    assert {one["Status"] for one in stanzas(tree.path).values()} == {"install ok installed"}


def test_all_kinds_of_files_are_as_dpkg_makes_them(debs: Debs, tree: Tree, tmp_path: Path) -> None:
    names = [b"with blanks  ", b"caf\xe9", "café".encode(), b"back\\slash", b"%s", b"d" * 200]
    long = "very/" + "/".join(["long" * 20] * 3)
    parts = long.split("/")
    deb = debs.make(
        "kinds",
        member("./opt/"),
        member("./opt/setuid", b"s", mode=0o4755, uid=1, gid=2, uname="", gname=""),
        member("./opt/setgid", b"s", mode=0o2711),
        member("./opt/secret", b"s", mode=0o400),
        member("./opt/nothing"),
        member("./opt/no permissions", b"x", mode=0),
        member("./opt/old", b"x", mtime=1),
        member("./opt/big", bytes(range(256)) * 10000),
        member("./opt/sticky/", mode=0o1777),
        member("./opt/grouped/", mode=0o2750, uid=3, gid=4, uname="", gname=""),
        member("./opt/grouped/inherits", b"x"),
        member("./opt/linked", b"linked", mode=0o600),
        link("./opt/hard", "./opt/linked", tarfile.LNKTYPE, mode=0o600),
        link("./opt/sticky/hard", "./opt/linked", tarfile.LNKTYPE, mode=0o600),
        link("./opt/soft", "linked"),
        link("./opt/dangling", "/no/where"),
        link("./opt/directory", "sticky"),
        member("./opt/fifo", type=tarfile.FIFOTYPE, mode=0o640),
        member("./opt/device", type=tarfile.CHRTYPE, devmajor=1, devminor=3, mode=0o666),
        *(member("./opt/" + os.fsdecode(name), name) for name in names),
        *(member("./opt/" + "/".join(parts[: end + 1]) + "/") for end in range(len(parts))),
        member(f"./opt/{long}/{'name' * 30}", b"long"),
        link(f"./opt/{long}/link", "target" * 40),
    )
    assert_same(tree, tmp_path, [deb])


@pytest.mark.parametrize("ending", COMPRESS)
def test_every_compression(ending: str, debs: Debs, tree: Tree, tmp_path: Path) -> None:
    deb = debs.make("packed", member("./opt/"), member("./opt/file", b"content" * 99999), ending=ending)
    assert_same(tree, tmp_path, [deb])


@pytest.mark.parametrize("prefix", ["./", "", "/"])
def test_names_may_begin_with_a_dot_or_a_slash_or_neither(prefix: str, debs: Debs, tree: Tree, tmp_path: Path) -> None:
    deb = debs.make(
        "named",
        member(f"{prefix}etc/"),
        member(f"{prefix}etc/named.conf", b"x"),
        member(f"{prefix}etc/file", b"x"),
        link(f"{prefix}etc/link", f"{prefix}etc/file", tarfile.LNKTYPE),
        conffiles="/etc/named.conf\n",
        triggers="interest-noawait /etc\n",
    )
    assert_same(tree, tmp_path, [deb])


@pytest.mark.parametrize("largest", range(6))
def test_a_directory_is_as_the_first_package_has_it_whoever_is_fastest(
    largest: int, debs: Debs, tree: Tree, tmp_path: Path
) -> None:
    paths = []
    for number in range(6):
        content = os.urandom(3_000_000 if number == largest else 10)
        attributes: dict[str, Any] = {"mode": 0o700 + number, "uid": number, "mtime": MTIME + number, "uname": ""}
        paths.append(
            debs.make(
                f"shares-{number}",
                member("./opt/"),
                member(f"./opt/before-{number}", content),
                member("./opt/shared/", **attributes),
                member("./opt/shared/empty/", **attributes),
                member(f"./opt/shared/file-{number}", b"x"),
                ending="",
            )
        )
    assert_same(tree, tmp_path, paths)


def test_conffiles_are_put_in_place_by_configuring(debs: Debs, tree: Tree, tmp_path: Path) -> None:
    for root in (tree.path, tmp_path / "theirs"):
        (root / "etc").mkdir(parents=True)
        (root / "etc/made by hand").write_text("the same\n")
        os.utime(root / "etc/made by hand", (1, 1))
    deb = debs.make(
        "configured",
        member("./etc/"),
        member("./etc/a.conf", b"a", mode=0o640, gid=4, gname=""),
        member("./etc/made by hand", b"the same\n"),
        link("./etc/linked.conf", "./etc/a.conf", tarfile.LNKTYPE, mode=0o640, gid=4, gname=""),
        member("./etc/plain", b"no conffile"),
        conffiles="/etc/a.conf\n/etc/linked.conf\n/etc/made by hand\n",
    )
    assert_same(tree, tmp_path, [deb])
    assert (tree.path / "etc/a.conf").read_bytes() == b"a"
    assert not list(tree.path.glob("etc/*.dpkg-*"))


def test_a_conffile_that_is_to_be_removed(debs: Debs, tree: Tree, tmp_path: Path) -> None:
    deb = debs.make(
        "removing",
        member("./etc/"),
        member("./etc/kept", b"x"),
        conffiles="/etc/kept\nremove-on-upgrade /etc/obsolete\n",
    )
    assert_same(tree, tmp_path, [deb])


def test_control_files_and_fields(debs: Debs, tree: Tree, tmp_path: Path) -> None:
    fields = "Essential: yes\nMulti-Arch: foreign\nInstalled-Size: 7\nPriority: optional\nSection: misc\n"
    fields += "Homepage: http://mirror.example.org/\nProvides: other (= 1)\nX-Odd: caf\udce9\n"
    assert_same(
        tree,
        tmp_path,
        [
            debs.make("plain", member("./opt/"), member("./opt/plain", b"x"), md5sums="0  opt/plain\n", fields=fields),
            debs.make(
                "several",
                member("./opt/"),
                member("./opt/several"),
                symbols="x\n",
                shlibs="y\n",
                config="#!/bin/true\n",
                templates="\n",
            ),
            debs.make(
                "libsame",
                member("./opt/"),
                member("./opt/lib", b"x"),
                fields="Architecture: amd64\nMulti-Arch: same\n",
                triggers="interest-noawait libsame\ninterest /opt/other\n",
                md5sums="0  opt/lib\n",
            ),
            debs.make("empty"),
        ],
    )


def test_a_field_that_dpkg_leaves_out(debs: Debs, tree: Tree, tmp_path: Path) -> None:
    assert_same(tree, tmp_path, [debs.make("plain", fields="Multi-Arch: no\n")], halfway=False)


def test_odd_white_space_in_control_files(debs: Debs, tree: Tree, tmp_path: Path) -> None:
    odd = "a\x0cb\x85c\u2028d"
    assert_same(
        tree,
        tmp_path,
        [
            debs.make(
                "white",
                member("./etc/"),
                member(f"./etc/{odd}", b"x"),
                member("./etc/blanks", b"x"),
                fields=f"X-Odd: {odd}\n",
                conffiles=f"/etc/{odd}\n/etc/blanks  \n",
                triggers="# a comment\n\ninterest-noawait\t/opt\n  interest-noawait   white  \n",
            )
        ],
    )


def test_what_packages_tell_of_triggers(debs: Debs, tree: Tree, tmp_path: Path) -> None:
    """Those who are interested are configured already, as a build's base system is."""
    first = debs.make(
        "interested",
        triggers="interest explicit\ninterest-await awaited\ninterest-noawait lazy\ninterest /opt/seen\n"
        "interest-noawait /opt/lazy\ninterest /opt/exactly/this\ninterest unused\ninterest /opt/unused\n",
    )
    both = debs.make("both", fields="Architecture: amd64\nMulti-Arch: same\n", triggers="interest-noawait /opt/seen\n")
    second = debs.make(
        "active",
        *(member(f"./opt/{name}") for name in ("", "seen/", "seen/a", "lazy/", "lazy/b/", "exactly/", "exactly/this")),
        member("./opt/unusedness", b"x"),
        triggers="activate explicit\nactivate-await awaited\nactivate-noawait lazy\nactivate nobody\ninterest own\n",
    )
    theirs = tmp_path / "theirs"
    for root in (tree.path, theirs):
        dpkg(root, "--install", first, both)
    assert_same(tree, tmp_path, [second], halfway=False)


def test_triggers_are_noted_for_those_who_were_there_before(debs: Debs, tree: Tree) -> None:
    first = debs.make("interested", triggers="interest explicit\ninterest-noawait /opt/seen\ninterest /opt/other\n")
    dpkg(tree.path, "--install", first)
    new = debs.make(
        "new",
        member("./opt/"),
        member("./opt/seen/"),
        member("./opt/seen/file", b"x"),
        triggers="activate-noawait explicit\nactivate mine\ninterest mine\ninterest /opt\n",
    )
    unpacked(tree, [new])
    assert triggers(tree.path)["Unincorp"] == [b"/opt/seen -", b"explicit -"]


def left(tree: Tree, *paths: Path) -> list[bool]:
    """Unpack, and check that nothing is there of what is left for dpkg: no file, no note."""
    done = unpacked(tree, paths)
    for path, one in zip(paths, done):
        if one.left:
            assert not list(tree.path.rglob(f"{path.stem}-*"))
            assert not list((tree.path / "var/lib/dpkg/info").glob(f"{path.stem}*"))
            assert path.stem not in stanzas(tree.path)
    return [one.left for one in done]


def test_a_package_with_a_preinst_is_left(debs: Debs, tree: Tree) -> None:
    deb = debs.make("scripted", member("./opt/"), member("./opt/scripted-file", b"x"), preinst="#!/bin/sh\n")
    other = debs.make("other", member("./opt/"), member("./opt/file", b"x"), postinst="#!/bin/sh\n")
    assert left(tree, deb, other) == [True, False]
    (done,) = ahead.unpack(tree, [deb], everything=True)
    assert done.left
    assert (tree.path / "opt/scripted-file").read_bytes() == b"x"


def test_a_package_with_a_path_that_is_there_is_left_and_the_path_as_it_was(debs: Debs, tree: Tree) -> None:
    first = debs.make("first", member("./opt/"), member("./opt/taken", b"first"), conffiles="/opt/taken\n")
    dpkg(tree.path, "--install", first)
    second = debs.make(
        "second",
        member("./opt/"),
        member("./opt/second-file", b"x"),
        link("./opt/second-link", "x"),
        member("./opt/taken", b"second"),
        member("./opt/second-later", b"x"),
    )
    assert left(tree, second) == [True]
    assert (tree.path / "opt/taken").read_bytes() == b"first"


@pytest.mark.parametrize("everything", [False, True], ids=["usual", "everything"])
@pytest.mark.parametrize(
    "taking",
    [
        member("./opt/shared/a", b"x"),
        member("./opt/shared/sub/"),
        link("./opt/shared/a", "nowhere"),
        link("./opt/shared/a", "./homeless-1", tarfile.LNKTYPE),
        member("./opt/shared/a", type=tarfile.FIFOTYPE),
    ],
    ids=["file", "directory", "link", "hard link", "fifo"],
)
def test_a_package_without_its_parents_is_left(
    taking: tuple[tarfile.TarInfo, bytes], everything: bool, debs: Debs, tree: Tree, tmp_path: Path
) -> None:
    """dpkg takes it as soon as another package has brought them, which may be with another worker."""
    parents = debs.make("parents", member("./opt/"), member("./opt/shared/"))
    homeless = debs.make("homeless", member("./homeless-1", b"x"), taking)
    (done,) = ahead.unpack(tree, [homeless], everything=everything)
    assert done.left
    for root in (tree.path, tmp_path / "theirs"):
        dpkg(root, "--install", parents, homeless)
    assert_like_dpkg(tree.path, tmp_path / "theirs")


@pytest.mark.parametrize("there", ["file", "dangling link"])
def test_a_directory_is_not_made_where_something_else_is(there: str, debs: Debs, tree: Tree) -> None:
    """dpkg will have its say; meanwhile the rest of the package is there."""
    (tree.path / "opt").mkdir()
    at = tree.path / "opt/at"
    at.write_bytes(b"kept") if there == "file" else at.symlink_to("nowhere")
    before = files(tree.path)["opt/at"]
    deb = debs.make(
        "fourth", member("./opt/"), member("./opt/at/"), member("./opt/at/a", b"x"), member("./opt/b", b"x")
    )
    (done,) = ahead.unpack(tree, [deb], everything=True)
    assert done.left
    assert files(tree.path)["opt/at"] == before
    assert (tree.path / "opt/b").read_bytes() == b"x"


@pytest.mark.usefixtures("one_worker")
def test_a_package_without_its_parents_is_unpacked_once_they_are_there(debs: Debs, tree: Tree, tmp_path: Path) -> None:
    parents = debs.make(
        "parents", member("./opt/"), member("./opt/shared/"), member("./opt/shared/b", os.urandom(9999))
    )
    assert_same(tree, tmp_path, [parents, debs.make("homeless", member("./opt/shared/a", b"x"))])


def test_a_package_below_a_file_of_another_is_left(debs: Debs, tree: Tree) -> None:
    (tree.path / "opt").write_text("a file")
    assert left(tree, debs.make("below", member("./below-1", b"x"), member("./opt/a", b"x"))) == [True]


def assert_same_after_dpkg(tree: Tree, tmp_path: Path, paths: Sequence[Path]) -> None:
    """Have dpkg unpack what is left for it, and compare with what it makes of all, in their order."""
    theirs = tmp_path / "theirs"
    waiting = [path for path, one in zip(paths, unpacked(tree, paths)) if one.left]
    dpkg(tree.path, "--unpack", *waiting) if waiting else None
    dpkg(theirs, "--unpack", *paths)
    for root in (tree.path, theirs):
        dpkg(root, "--configure", "-a")
    assert_like_dpkg(tree.path, theirs)


@pytest.mark.usefixtures("one_worker")
@pytest.mark.parametrize("fast", ["link", "directory"])
@pytest.mark.parametrize(("first", "target"), [("link", "real"), ("directory", "real"), ("directory", "nowhere")])
def test_a_link_or_a_directory_is_as_the_first_package_has_it_whoever_is_fastest(
    fast: str, first: str, target: str, debs: Debs, tree: Tree, tmp_path: Path
) -> None:
    """One worker begins with the largest package, as if another one had been faster with it."""

    def padding(name: str) -> bytes:
        return os.urandom(99_999) if name == fast else b"x"

    linking = debs.make(
        "linking",
        *(member(f"./{name}/") for name in ("etc", "opt", "opt/real", "opt/real/sub")),
        member("./opt/linking", padding("link")),
        member("./etc/linking.conf", b"x"),
        link("./opt/at", target),
        conffiles="/etc/linking.conf\n",
    )
    holding = debs.make(
        "holding",
        *(member(f"./{name}/") for name in ("opt", "opt/at", "opt/at/sub", "opt/at/empty")),
        member("./opt/holding", padding("directory")),
        member("./opt/at/file", b"x"),
        member("./opt/at/sub/holding.conf", b"x"),
        link("./opt/at/sub/link", "../file"),
        conffiles="/opt/at/sub/holding.conf\n",
        triggers="interest-noawait /opt/at\n",
    )
    other = debs.make("other", member("./opt/"), member("./opt/other", b"x"))
    under = debs.make("under", member("./opt/at/under", b"without parents"))
    paths = [linking, other, holding, under] if first == "link" else [holding, under, other, linking]
    assert_same_after_dpkg(tree, tmp_path, paths)


@pytest.mark.usefixtures("one_worker")
@pytest.mark.parametrize("fast", ["link", "directory"])
@pytest.mark.parametrize("first", ["link", "directory"])
@pytest.mark.parametrize("scripted", ["link", "directory"])
def test_a_link_or_a_directory_is_as_the_first_one_has_it_where_everything_is_unpacked(
    fast: str, first: str, scripted: str, debs: Debs, tree: Tree
) -> None:
    scripts: Sequence[dict[str, Any]] = ({}, {"preinst": "#!/bin/sh\n"})
    made = {
        name: debs.make(
            name,
            *(
                member("./opt/"),
                member("./opt/real/"),
                member(f"./opt/{name}", os.urandom(99_999 if name == fast else 1)),
            ),
            *([link("./opt/at", "real")] if name == "link" else [member("./opt/at/"), member("./opt/at/file", b"x")]),
            **scripts[name == scripted],
        )
        for name in ("link", "directory")
    }
    ahead.unpack(tree, sorted(made.values(), key=lambda path: path.stem != first), everything=True)
    assert (tree.path / "opt/at").is_symlink() == (first == "link")
    assert (tree.path / "opt/at/file").read_bytes() == b"x"
    assert (tree.path / "opt/real/file").exists() == (first == "link")
    for name in made:
        assert (tree.path / "opt" / name).exists()


@pytest.mark.usefixtures("one_worker")
@pytest.mark.parametrize("fast", ["link", "directory"])
def test_what_was_there_before_is_not_taken_back(fast: str, debs: Debs, tree: Tree) -> None:
    (tree.path / "opt/real/sub").mkdir(parents=True)
    (tree.path / "opt/real/there").write_text("before")
    before = files(tree.path / "opt/real")
    parts = {
        "link": [link("./opt/at", "real")],
        "directory": [member("./opt/at/"), member("./opt/at/sub/"), member("./opt/at/there", b"after")],
    }
    paths = [
        debs.make(name, member("./opt/"), member(f"./{name}-1", os.urandom(99_999 if name == fast else 1)), *members)
        for name, members in parts.items()
    ]
    assert left(tree, *paths) == [False, True]
    assert (tree.path / "opt/at").is_symlink()
    assert files(tree.path / "opt/real") == before


@pytest.mark.usefixtures("one_worker")
def test_what_a_third_package_has_put_there_stays(debs: Debs, tree: Tree) -> None:
    """It came by another way, so that nobody knows that it is in the way of the first package's link."""
    (tree.path / "opt").mkdir()
    (tree.path / "opt/other").symlink_to("at")
    paths = [
        debs.make("first", member("./opt/"), link("./opt/at", "real")),
        debs.make("second", member("./opt/"), member("./opt/second", os.urandom(99_999)), member("./opt/at/")),
        debs.make("third", member("./opt/other/file", os.urandom(9_999))),
    ]
    assert left(tree, *paths) == [True, False, False]
    assert (tree.path / "opt/at/file").stat().st_size == 9_999


@pytest.mark.usefixtures("one_worker")
def test_what_crosses_and_has_a_path_of_another_stays_left(debs: Debs, tree: Tree) -> None:
    """Though its own file is in the place of the other's when its turn comes again."""
    paths = [
        debs.make("rival", member("./opt/"), member("./opt/file", os.urandom(99_999))),
        debs.make("first", member("./opt/"), link("./opt/at", "."), member("./opt/file", b"x")),
        debs.make("second", member("./opt/"), member("./opt/at/"), member("./opt/second", os.urandom(9_999))),
    ]
    assert [one.left for one in ahead.unpack(tree, paths, everything=True)] == [False, True, False]
    assert (tree.path / "opt/file").read_bytes() == b"x"


@pytest.mark.parametrize(
    "taking",
    [member("./opt/at", b"x"), link("./opt/at", "elsewhere"), link("./opt/at", "./opt/third-1", tarfile.LNKTYPE)],
    ids=["file", "link", "hard link"],
)
@pytest.mark.parametrize("there", ["file", "directory", "link", "dangling link"])
def test_a_path_is_taken_by_whatever_is_there(
    taking: tuple[tarfile.TarInfo, bytes], there: str, debs: Debs, tree: Tree
) -> None:
    (tree.path / "opt").mkdir()
    at = tree.path / "opt/at"
    if there == "file":
        at.write_bytes(b"kept")
    elif there == "directory":
        at.mkdir()
    else:
        at.symlink_to("." if there == "link" else "nowhere")
    before = files(tree.path)
    assert left(tree, debs.make("third", member("./opt/"), member("./opt/third-1", b"x"), taking)) == [True]
    assert files(tree.path) == before


def test_a_directory_where_a_link_to_one_is_goes_through_the_link(debs: Debs, tree: Tree, tmp_path: Path) -> None:
    for root in (tree.path, tmp_path / "theirs"):
        (root / "usr/bin").mkdir(parents=True)
        (root / "usr").chmod(0o755)
        os.symlink("usr/bin", root / "bin")
        os.utime(root / "bin", (1, 1), follow_symlinks=False)
    deb = debs.make("unmerged", member("./bin/", mode=0o700), member("./bin/tool", b"x", mode=0o755))
    assert_same(tree, tmp_path, [deb])
    assert (tree.path / "usr/bin/tool").exists()


def test_what_two_packages_have_is_unpacked_once(debs: Debs, tree: Tree) -> None:
    paths = [debs.make(f"rival{n}", member("./opt/"), member("./opt/one", str(n).encode())) for n in range(4)]
    assert sorted(left(tree, *paths)) == [False, True, True, True]


def test_a_package_whose_path_is_diverted_or_overridden_is_left(debs: Debs, tree: Tree) -> None:
    home = tree.path / "var/lib/dpkg"
    (home / "diversions").write_text("/opt/diverted\n/opt/diverted.real\nother\n/opt/local\n/opt/local.real\n:\n")
    (home / "statoverride").write_text("root root 4755 /opt/over ridden\n#1 #2 755 /opt/directory\n")
    names = ["diverted", "diverted.real", "local", "over ridden", "directory/", "free"]
    paths = [debs.make(f"special{n}", member("./opt/"), member(f"./opt/{name}")) for n, name in enumerate(names)]
    assert left(tree, *paths) == [True] * 5 + [False]


@pytest.mark.parametrize("fields", ["", "Architecture: amd64\nMulti-Arch: same\n"])
def test_a_package_that_is_installed_in_another_version_is_left(fields: str, debs: Debs, tree: Tree) -> None:
    old = debs.make("upgraded", member("./opt/"), member("./opt/old", b"x"), fields=fields)
    dpkg(tree.path, "--install", old)
    new = debs.make("upgraded", member("./opt/"), member("./opt/new", b"x"), fields=fields)
    (done,) = ahead.unpack(tree, [new])
    assert done.left
    assert not (tree.path / "opt/new").exists()


def test_owners_have_the_numbers_of_their_names_in_the_tree(debs: Debs, tree: Tree) -> None:
    """So does dpkg (tar_entry_update_from_system); a package that was built elsewhere may have other numbers."""
    (tree.path / "etc").mkdir()
    (tree.path / "etc/passwd").write_text("root:x:0:0::/root:/bin/sh\nsomebody:x:321:322::/:/bin/false\nodd\n")
    (tree.path / "etc/group").write_text("root:x:0:\nthem:x:654:\n")
    deb = debs.make(
        "owned",
        member("./opt/", uid=7, gid=8, uname="somebody", gname="them"),
        member("./opt/file", b"x", uid=7, gid=8, uname="somebody", gname="them"),
        member("./opt/stranger", b"x", uid=7, gid=8, uname="stranger", gname="strangers"),
        member("./opt/numbers", b"x", uid=7, gid=8, uname="", gname=""),
    )
    unpacked(tree, [deb])
    owners = {path.name: (path.stat().st_uid, path.stat().st_gid) for path in tree.path.rglob("opt/**/*")}
    assert owners == {"file": (321, 654), "stranger": (7, 8), "numbers": (7, 8)}
    assert ((tree.path / "opt").stat().st_uid, (tree.path / "opt").stat().st_gid) == (321, 654)


def test_owners_are_those_of_dpkg(debs: Debs, tree: Tree, tmp_path: Path) -> None:
    for root in (tree.path, tmp_path / "theirs"):
        (root / "etc").mkdir(parents=True)
        for name in ("passwd", "group"):
            shutil.copy2(Path("/etc") / name, root / "etc" / name)
    names: dict[str, Any] = {"uid": 777, "gid": 888, "uname": "daemon", "gname": "mail"}
    deb = debs.make("owned", member("./opt/", **names), member("./opt/file", b"x", mode=0o6755, **names))
    assert_same(tree, tmp_path, [deb])
    assert (tree.path / "opt/file").stat().st_uid == pwd.getpwnam("daemon").pw_uid


def outside_of(tree: Tree) -> dict[str, tuple[object, ...]]:
    """Return what lies beside the tree, in the directory that a hostile package is made to aim at."""
    return files(tree.path.parent / "outside")


DAMAGE: Mapping[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "a page of a proxy": lambda _: b"<html></html>",
    "cut short": lambda content: content[: len(content) * 2 // 3],
    "without its last block": lambda content: content[:-512],
    "a bit in the middle": lambda content: flipped(content, len(content) // 2),
    "a bit near the end": lambda content: flipped(content, len(content) * 9 // 10),
}


def test_a_full_disk_is_an_error(debs: Debs, tree: Tree) -> None:
    """Of a write for which there is only some room the kernel makes a short one."""
    (tree.path / "opt").mkdir()
    deb = debs.make("large", member("./opt/"), member("./opt/large", os.urandom(900_000)), ending="")
    with mounted("tmpfs", tree.path / "opt", "tmpfs", 0, "size=500k"), pytest.raises(CommandError) as caught:
        ahead.unpack(tree, [deb])
    assert "large.deb: " in caught.value.tail[-1]


@pytest.fixture
def one_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ahead, "cpus", lambda: 1)


@pytest.fixture
def few_descriptors() -> Iterator[int]:
    """Let the process and what it starts open few files at once, and give the number."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, before[1]))
    yield 64
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.usefixtures("one_worker")
def test_more_packages_than_files_may_be_open(few_descriptors: int, debs: Debs, tree: Tree) -> None:
    paths = [debs.make(f"n{n}", member("./opt/"), member(f"./opt/{n}", b"x")) for n in range(few_descriptors + 1)]
    assert not any(one.left for one in unpacked(tree, paths))
    assert len(list((tree.path / "opt").iterdir())) == len(paths)


def test_the_pool_may_lie_behind_links(debs: Debs, tree: Tree, tmp_path: Path) -> None:
    """They lead through the host, though what is in the packages is kept in the tree."""
    deb = debs.make("behind", member("./opt/"), member("./opt/file", b"x"))
    (tmp_path / "absolute").symlink_to(deb.parent)
    (tmp_path / "relative").symlink_to("absolute")
    assert [one.left for one in unpacked(tree, [tmp_path / "relative" / deb.name])] == [False]
    assert (tree.path / "opt/file").read_bytes() == b"x"


@pytest.mark.parametrize("ending", [one for one in COMPRESS if one])
@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_package_is_an_error_that_names_it(damage: str, ending: str, debs: Debs, tree: Tree) -> None:
    content = b"".join(hashlib.sha256(bytes([n % 256, n // 256])).digest() for n in range(4000))
    paths = [
        debs.make(name, member("./opt/"), member(f"./opt/{name}", content), ending=ending)
        for name in ("good", "damaged")
    ]
    paths[1].write_bytes(DAMAGE[damage](paths[1].read_bytes()))
    with pytest.raises(CommandError, match="unpacking packages") as caught:
        ahead.unpack(tree, paths)
    assert "damaged.deb: " in caught.value.tail[-1]


def pax(**headers: str) -> bytes:
    """Return a data.tar with extended headers, in which anything may stand; dpkg takes none."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, extended in (("./first", {}), ("./second", headers)):
            info = tarfile.TarInfo(name)
            info.pax_headers = extended
            archive.addfile(info)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        *(pax(mtime=value) for value in ("nan", "inf", "-inf", "1e30")),
        pax(uid=str(2**70)),
        pax(gid="-2"),
        pax(path="./with\0nothing"),
        pax(**{"GNU.sparse.map": "1,x", "GNU.sparse.major": "0", "GNU.sparse.minor": "1"}),
        long_names(2000),
        tar([link("./link", "target", mtime=2**80)]),
        tar([member("./node", type=tarfile.CHRTYPE, devmajor=-1)]),
    ],
    ids=[
        "nan",
        "inf",
        "-inf",
        "1e30",
        "uid",
        "gid",
        "path",
        "sparse",
        "many names",
        "time of a link",
        "number of a device",
    ],
)
def test_numbers_and_names_that_are_none_are_errors(data: bytes, debs: Debs, tree: Tree) -> None:
    with pytest.raises(CommandError) as caught:
        unpacked(tree, [debs.make("good", member("./opt/")), debs.make("hostile", data=data)])
    assert caught.value.tail[-1].startswith("hostile.deb: ")
    assert "Traceback" not in "\n".join(caught.value.tail)


@pytest.mark.parametrize("ending", COMPRESS)
@pytest.mark.parametrize("cut_bytes", [0, 100])
def test_a_data_tar_that_breaks_off_is_no_whole_one(ending: str, cut_bytes: int, debs: Debs, tree: Tree) -> None:
    """The archive around it is whole: it was made so."""
    whole = tar([member("./opt/"), member("./opt/one", b"1"), member("./opt/two", b"2")])
    data = whole[: 3 * 512] + (b"garbage " * 64)[: 512 - cut_bytes]
    deb = debs.make("halved", data=data, ending=ending)
    with pytest.raises(CommandError) as caught:
        ahead.unpack(tree, [deb])
    assert "halved.deb: " in caught.value.tail[-1]


def test_an_unknown_kind_of_member_is_an_error(debs: Debs, tree: Tree) -> None:
    deb = debs.make("odd", member("./opt/"), member("./opt/odd", type=tarfile.FIFOTYPE), ending="")
    content = bytearray(deb.read_bytes())
    at = content.rindex(b"./opt/odd")
    content[at + 156] = ord("Z")
    header = content[at : at + 512]
    header[148:156] = b" " * 8
    content[at + 148 : at + 156] = f"{sum(header):06o}\0 ".encode()
    deb.write_bytes(content)
    with pytest.raises(CommandError) as caught:
        ahead.unpack(tree, [deb])
    assert "odd.deb: " in caught.value.tail[-1]
