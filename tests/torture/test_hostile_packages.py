"""Kept in the tree: what packages leave for us to find."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import tarfile
from pathlib import Path

import pytest

from tests.debs import Debs, link, member
from tests.integration.conftest import Fuel, Request, metadata_of
from tests.integration.images import Facts, ImageSet, facts, output_of
from tests.integration.repository import package

from . import hostile
from .conftest import Tried
from .mirror import Mirror

OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
SECRET = "root:hash-of-the-host:19000:0:99999:7:::\n"


class Ground:
    """Where the builds of one test run, with a directory of the host that packages want to reach."""

    def __init__(self, fuel: Fuel, mirror: Mirror, directory: Path, cache_dir: Path) -> None:
        self.fuel = fuel
        self.mirror = mirror
        self.directory = directory
        self.output = directory / "output"
        self.work = directory / "work"
        self.layers = cache_dir / "layers"
        self.host = directory / "host"
        (self.host / "sub").mkdir(parents=True)
        for name in ("shadow", "machine-id", "lastlog", "ssh_host_rsa_key", ".bash_history", "hosts", "sub/old.log"):
            (self.host / name).write_text(SECRET)
        self.before = self._looked_at()

    def _looked_at(self) -> dict[str, Facts]:
        return {str(path): facts(path) for path in [self.host, *self.host.rglob("*")]}

    def request(self, *debs: Path, **changes: object) -> Request:
        wishes = [output_of("dpkg-deb", "-f", deb, "Package").strip() for deb in debs]
        return hostile.request(self.mirror, self.output, self.directory, debs, wishes, **changes)

    def built(self, request: Request, *options: str) -> ImageSet:
        """Build; the host's directory stays as it is."""
        self.fuel(request, "--work-dir", str(self.work), *options)
        self._untouched()
        return ImageSet(metadata_of(request))

    def fails(self, request: Request) -> str:
        """Fail to build, without a trace; return what was said."""
        ended = self.fuel(request, "--work-dir", str(self.work), expect=1)
        assert "Traceback" not in ended.stderr and "a defect" not in ended.stderr
        assert list(self.output.iterdir()) == []
        self._untouched()
        return ended.stderr

    def _untouched(self) -> None:
        assert self._looked_at() == self.before
        assert list(self.work.iterdir()) == []
        assert list(self.layers.glob("*.new")) == []

    def script(self, text: str) -> Path:
        """Return a package whose script runs *text*; HOST stands for the directory of the host."""
        script = f"#!/bin/sh\nset -e\nHOST={self.host}\n{text}\n"
        return package(self.directory, "hostile", postinst=script)


@pytest.fixture
def ground(fuel: Fuel, mirror: Mirror, tmp_path: Path, cache_dir: Path) -> Ground:
    return Ground(fuel, mirror, tmp_path, cache_dir)


LINKS = {
    "/etc/machine-id": "machine-id",
    "/etc/hostname": "hosts",
    "/etc/hosts": "hosts",
    "/etc/fstab": "hosts",
    "/etc/ssh": "",
    "/etc/passwd-": "shadow",
    "/etc/apt/sources.list": "hosts",
    "/root": "",
    "/tmp": "sub",
    "/var/tmp": "sub",
    "/var/log/away": "sub",
    "/var/log/lastlog": "lastlog",
    "/var/cache/apt/archives": "sub",
    "/var/lib/apt/lists": "sub",
    "/var/lib/apt/extended_states": "hosts",
    "/var/lib/dhcp": "sub",
    "/var/lib/systemd": "sub",
    "/usr/sbin/policy-rc.d": "hosts",
}
"""Places of a tree that a build writes to, reads or empties; and what of the host each leads to."""


@pytest.mark.parametrize(("up", "there"), [("", False), ("", True), ("/../../../../../../../../..", True)])
def test_links_to_the_host(up: str, there: bool, ground: Ground, tried: Tried) -> None:
    """Where a package puts links to files and directories of the host, a build does not touch them."""
    places = [place for place in LINKS if not str(ground.host).startswith(f"{place}/")]
    text = "".join(f'rm -rf {place}; ln -s "{up}$HOST/{LINKS[place]}" {place}\n' for place in places)
    if there:  # the same paths, but in the tree
        text += 'mkdir -p "$HOST/sub"; echo mine > "$HOST/sub/mine"\n'
    image = ground.built(ground.request(ground.script(text), root_password="r00tme"))
    with image.mounted("/", ground.directory) as root:
        assert (root / "etc/machine-id").read_bytes() == b"" and not (root / "etc/machine-id").is_symlink()
        assert "hash-of-the-host" not in (root / "etc/shadow").read_text()
        assert (root / "etc/hosts").is_symlink()
        assert not os.path.lexists(root / "usr/sbin/policy-rc.d")
    tried(len(places))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('ln -sf "$HOST/shadow" /etc/shadow', "/etc/shadow in the tree: No such file or directory"),
        ('ln -sf "/../../..$HOST/shadow" /etc/shadow', "/etc/shadow in the tree: No such file or directory"),
        ("ln -sf shadow /etc/shadow", "/etc/shadow in the tree: Too many levels of symbolic links"),
        ("rm /etc/shadow; mkfifo /etc/shadow", "/etc/shadow in the tree: no regular file"),
        ("rm /etc/shadow; mkdir /etc/shadow", "/etc/shadow in the tree: no regular file"),
        ("rm /etc/shadow; mknod /etc/shadow c 1 5", "/etc/shadow in the tree: Permission denied"),
        ("truncate -s 1T /etc/shadow", "/etc/shadow in the tree: it has more than 256 MiB"),
        ('rm -rf /etc/hosts /etc; ln -s "$HOST" /etc', "/etc"),
        ('rm -rf /opt; ln -s "$HOST" /opt', "making the image of /opt: /opt is no directory in the tree"),
        ("mv /var /elsewhere; ln -s elsewhere /var; rm /etc/shadow", "/etc/shadow in the tree: No such file"),
    ],
)  # fmt: skip
def test_things_in_the_way(text: str, words: str, ground: Ground) -> None:
    """Where a package leaves something with which no build can go on, the message names the place."""
    images = ground.mirror.request(ground.output)["image_data"]
    if "/opt" in words:
        images["/opt"] = {**images["/"], "uri": "http://127.0.0.1/opt.img.gz"}
    said = ground.fails(ground.request(ground.script(f"cd /srv\n{text}"), image_data=images, root_password="r00tme"))
    assert words in said
    assert "hash-of-the-host" not in said


def test_directories_deeper_than_any_path(ground: Ground) -> None:
    """After a package whose directories are deeper than any path nothing is left, and the next build succeeds."""
    deep = "cd /srv; perl -e 'for (1 .. 5000) { mkdir q(d); mkdir q(e); chdir q(d) or die }'"
    assert "is longer than 700 bytes" in ground.fails(ground.request(ground.script(deep)))
    assert ground.built(ground.mirror.request(ground.output)).path.exists()


KINDS = {"/": "ext4", "/opt": "xfs", "/srv": "btrfs"}
ODD = r"""
for top in /usr /opt /srv; do
    mkdir $top/odd; cd $top/odd
    mknod disk b 254 0; mknod memory c 1 1; chmod 666 disk memory; mkfifo pipe
    cp /bin/sh as-root; chown root as-root; chmod 6755 as-root
    printf one > "$(printf 'line\nbreak')"; printf two > "$(printf '\033[2J\033]0;x\007')"
    printf three > "$(printf 'caf\351')"; printf four > "$(printf '\342\200\256gnp')"; printf five > ' -rf *'
    ln -s "$HOST/shadow" away; ln -s /../../../../etc/passwd up; ln away hard
    perl -e 'for (1 .. 300) { mkdir q(d) or die; chdir q(d) or die }'
done
for top in /tmp /var/log /var/cache/apt/archives; do
    cd $top; perl -e 'for (1 .. 300) { mkdir q(d) or die; chdir q(d) or die } open F, q(>), q(log)'
done
"""


def test_odd_files(ground: Ground) -> None:
    """Device nodes, pipes, set-user-ID programs, odd names and deep directories get into images as they are."""
    images = {
        mount: {"uri": f"http://127.0.0.1/{kind}.img.gz", "format": kind, "container": "gzip"}
        for mount, kind in KINDS.items()
    }
    kept = ground.directory / "kept"
    image = ground.built(ground.request(ground.script(ODD), image_data=images), "--keep-tree", str(kept))
    assert stat.S_IMODE(kept.stat().st_mode) == 0o700
    for mount, place in (("/", "usr/odd"), ("/opt", "odd"), ("/srv", "odd")):
        with image.mounted(mount, ground.directory) as root:
            _assert_odd(root / place)
            if mount == "/":
                assert output_of("find", root / "tmp", root / "var/log", "-name", "log", "-type", "f") == ""
    _assert_odd(kept / "usr/odd")
    subprocess.run(["rm", "-r", kept], check=True)


def _assert_odd(directory: Path) -> None:
    found = {os.fsencode(path.name): facts(path) for path in directory.iterdir()}
    contents = [(directory / os.fsdecode(name)).read_text() for name in ODD_NAMES]
    assert contents == ["one", "two", "three", "four", "five"]
    assert (found[b"disk"].mode, found[b"disk"].detail) == (oct(stat.S_IFBLK | 0o666), os.makedev(254, 0))
    assert (found[b"memory"].mode, found[b"memory"].detail) == (oct(stat.S_IFCHR | 0o666), os.makedev(1, 1))
    assert stat.S_ISFIFO(int(found[b"pipe"].mode, 8))
    assert found[b"as-root"].mode == oct(stat.S_IFREG | 0o6755)
    assert str(found[b"away"].detail).endswith("/host/shadow") and found[b"away"].links == 2
    listed = subprocess.run(["find", directory, "-type", "d"], check=True, stdout=subprocess.PIPE).stdout
    assert listed.count(b"\n") == 301


ODD_NAMES = (b"line\nbreak", b"\x1b[2J\x1b]0;x\x07", b"caf\xe9", "\u202egnp".encode(), b" -rf *")


def test_members_that_lead_away(ground: Ground) -> None:
    """Packages whose files have dots, absolute names or another package's links for a way end up in the tree."""
    up, away = "../" * 20, str(ground.host)
    debs = Debs(ground.directory)
    found = [
        debs.make("first", member(f"./{up}dots", b"x"), member("/absolute", b"x"), member("./a/"),
                  member("./a/../../../inner", b"x"), link("./away", away), link("./up", f"{up}{away}")),
        debs.make("second", member("./away/"), member("./away/through", b"x"), fields="Pre-Depends: first\n"),
        debs.make("nodes", member("./opt/"), member("./opt/disk", type=tarfile.BLKTYPE, devmajor=254, mode=0o666),
                  member("./opt/as-root", b"#!/bin/sh\n", mode=0o6755)),
    ]  # fmt: skip
    # Where the first package's link leads is in the tree, too.
    inside = debs.make("inside", *(member(f".{parent}/") for parent in reversed(ground.host.parents[:-1])),
                       member(f".{away}/"))  # fmt: skip
    image = ground.built(ground.request(*found, inside))
    with image.mounted("/", ground.directory) as root:
        assert {"dots", "absolute", "inner"} <= {path.name for path in root.iterdir()}
        assert (root / "opt/as-root").stat().st_mode & 0o7777 == 0o6755


@pytest.mark.parametrize("kind", ["own link", "hard link", "name"])
def test_members_that_cannot_be(kind: str, ground: Ground) -> None:
    """A package whose files go through its own link, or are the host's, or have names of two lines, is refused."""
    away = str(ground.host)
    members = {
        "own link": (link("./away", away), member("./away/file", b"x")),
        "hard link": (link("./stolen", f"{away}/shadow", tarfile.LNKTYPE),),
        "name": (member("./opt/"), member("./opt/one\n\x1b[2Jfuel-image: done", b"x")),
    }[kind]
    said = ground.fails(ground.request(Debs(ground.directory).make("refused", *members)))
    assert re.search("refused|[0-9a-f]{64}", said)
    assert OBEYED.search(said) is None
    assert "\nfuel-image: done" not in said


def test_words_of_a_release(ground: Ground) -> None:
    """What a Release or an index says in escape sequences is shown and not obeyed, in messages and the log."""
    odd = "\x1b[2J\x1b]0;x\x07\u202egnp\x9b"
    request = ground.request(ground.script("exit 0"))
    shutil.copytree(ground.mirror.directory, ground.directory / "copy")
    ground.mirror.release(ground.directory / "copy", Suite=odd, Codename=odd, Origin=odd, **{"Valid-Until": odd})
    request["repos"][0]["uri"] = (ground.directory / "copy").as_uri()
    log = ground.directory / "log"
    ended = ground.fuel(request, "--log-file", str(log), expect=1)
    assert r"\x1b[2J" in ended.stderr
    assert OBEYED.search(ended.stderr + log.read_text()) is None
