"""Bad input. Packages whose members, headers and archives are not what they should be."""

from __future__ import annotations

import contextlib
import io
import lzma
import os
import resource
import shutil
import signal
import subprocess
import sys
import tarfile
import traceback
from collections.abc import Iterator, Mapping, Sequence
from multiprocessing import Pipe
from pathlib import Path
from typing import Any, Callable, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuel_image.host.mounts import mounted
from fuel_image.tree.deb import UNREADABLE, DebError, control_files, data_member, members, opened
from fuel_image.tree.known import Known
from fuel_image.tree.unpack import INFO, unpack
from tests.debs import COMPRESS, Debs, ar, member, tar

from .conftest import Tried
from .examples import EXAMPLES, many
from .harmless import LONGEST_SECONDS, harmless
from .nearly import nearly, nearly_text

pytestmark = pytest.mark.examples

CONTROL = """\
Package: odd
Version: 1:2.0-1
Architecture: all
Multi-Arch: same
Maintainer: A Test <test@example.org>
Description: a test
 of unpacking
"""
NAMES = st.one_of(
    st.sampled_from(
        (
            *("./", ".", "", "/", "./usr/", "./usr/file", "./usr/link", "./usr/link/below", "./etc/conf", "./dev/null"),
            *(
                "/absolute",
                "../../above",
                "./a\nb",
                "./\x1b[2J",
                "./é",
                "./\udcff",
                "./nul\0nul",
                "a" * 300,
                "d/" * 3000,
            ),
        )
    ),
    st.text(max_size=12),
)
TYPES = (*(bytes([number]) for number in b"01234567LKSxgXZDMNV"), tarfile.AREGTYPE)
NUMBERS = st.sampled_from((0, 1, 0o644, 0o6755, 0o7777777, 2**31, 2**32 - 1, 2**33, 2**63, 2**80, -1, -(2**63)))
SIZES = st.sampled_from((None, None, None, 0, 1, 511, 513, 4096, 1 << 20, 1 << 40, 1 << 63, -1, -512, -513, -1024))
QUICKLY: Mapping[str, Callable[[bytes], bytes]] = {**COMPRESS, ".xz": lambda content: lzma.compress(content, preset=0)}
"""A better preset takes a hundred megabytes for each of the examples."""
FORMATS: Sequence[Literal[0, 1, 2]] = (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT, tarfile.USTAR_FORMAT)
EXTENDED = st.dictionaries(
    st.sampled_from(("mtime", "path", "size", "uid", "linkpath", "GNU.sparse.map", "GNU.sparse.major", "comment")),
    st.sampled_from(("nan", "inf", "1e30", "-1", "0", "1,2,3", "9" * 30, "./x", "a\0b", "é" * 300)),
    max_size=2,
)


def _block(info: tarfile.TarInfo, content: bytes, written: Literal[0, 1, 2]) -> bytes:
    padded = content + b"\0" * (-len(content) % tarfile.BLOCKSIZE)
    with contextlib.suppress(ValueError, UnicodeError, OverflowError):
        return info.tobuf(written, "utf-8", "surrogateescape") + padded
    return member("./other")[0].tobuf() + padded  # a header in which that cannot be written


@st.composite
def archives(draw: st.DrawFn) -> bytes:
    """Give a data.tar with members that lie of their sizes, numbers, names and types."""
    blocks = []
    for _ in range(draw(st.integers(0, 4))):
        content = draw(
            st.sampled_from((b"", b"content", b"./long/name\0", b"30 mtime=1500000000.123456789\n", bytes(600)))
        )
        info, _content = member(draw(NAMES), content)
        info.type, info.linkname = draw(st.sampled_from(TYPES)), draw(NAMES)
        size = draw(SIZES)
        info.size = len(content) if size is None else size
        if draw(st.booleans()):
            info.mode, info.uid, info.gid, info.mtime = (draw(NUMBERS) for _ in range(4))
            info.devmajor, info.devminor = draw(NUMBERS), draw(NUMBERS)
        written = draw(st.sampled_from(FORMATS))
        if written == tarfile.PAX_FORMAT:
            info.pax_headers = draw(EXTENDED)
        blocks.append(_block(info, content, written))
    return b"".join(blocks) + bytes(draw(st.sampled_from((1024, 1024, 1024, 512, 0, 9000))))


@st.composite
def packages(draw: st.DrawFn) -> bytes:
    """Give a package with damage in its members, in the archives of these, in their compression, or in the whole."""
    ending = draw(st.sampled_from(sorted(QUICKLY)))
    control = draw(st.one_of(st.just(CONTROL), nearly_text(CONTROL, odd=["Package:", "Architecture:", "all", "same"])))
    files = [member("./control", control.encode("utf-8", "replace"))]
    if draw(st.booleans()):
        files.append(member("./conffiles", draw(nearly(b"/etc/conf\n/etc/other remove-on-upgrade\n"))))
    if draw(st.booleans()):
        files.append(member("./preinst", b"#!/bin/sh\n", mode=0o755))
    inner = draw(archives())
    data = draw(st.one_of(st.just(inner), nearly(inner)))
    packed = QUICKLY[ending](data)
    parts = [
        ("debian-binary", b"2.0\n"),
        ("control.tar", draw(st.one_of(st.just(tar(files)), nearly(tar(files))))),
        (f"data.tar{ending}", draw(st.one_of(st.just(packed), nearly(packed)))),
    ]
    whole = ar(*parts)
    return draw(
        st.one_of(st.just(whole), st.just(whole), nearly(whole, odd=[b"`\n", b"data.tar/", b"-1", b"9999999999"]))
    )


@many
@given(packages())
def _read(content: bytes) -> None:
    deb = io.BytesIO(content)
    with harmless(DebError, *UNREADABLE):
        control_files(deb)
    with harmless(DebError, *UNREADABLE), opened(data_member(deb)) as archive:
        for one in members(archive):
            stream = archive.extractfile(one) if one.isreg() else None
            while stream is not None and stream.read(1 << 16):
                pass


def test_reading(tried: Tried) -> None:
    """A package is read or refused, whatever is in it."""
    files = tar([member("./usr/"), member("./usr/file", b"x")])
    whole = io.BytesIO(ar(("control.tar", tar([member("./control", CONTROL.encode())])), ("data.tar", files)))
    assert list(control_files(whole)) == ["control"]  # without damage all is well
    with opened(data_member(whole)) as archive:
        assert [one.name for one in members(archive)] == ["./usr", "./usr/file"]
    _read()
    tried(EXAMPLES)


@contextlib.contextmanager
def _inside(root: Path, act: Callable[[Any], None]) -> Iterator[Callable[[object], None]]:
    """Give a function that has a process whose root is *root* do *act* with what it gets, and fails if that does."""
    ours, theirs = Pipe()
    child = os.fork()
    if child == 0:
        try:
            os.chroot(root)
            os.chdir("/")
            resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 24, 1 << 24))
            while True:
                task = theirs.recv()
                try:
                    act(task)
                    theirs.send("")
                except Exception:  # noqa: BLE001  (the test shows it)
                    theirs.send(traceback.format_exc())
        finally:
            os._exit(0)
    theirs.close()

    def ask(task: object) -> None:
        ours.send(task)
        assert ours.poll(LONGEST_SECONDS), "it hangs"
        assert ours.recv() == ""

    try:
        yield ask
    finally:
        ours.close()
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def _unpack(task: tuple[bytes, bool]) -> None:
    content, everything = task
    os.makedirs(INFO)
    try:
        unpack(io.BytesIO(content), Known(), everything=everything)
    except (DebError, *UNREADABLE):
        pass
    finally:
        for name in os.listdir("/"):
            if os.path.isdir(name) and not os.path.islink(name):
                shutil.rmtree(name)
            else:
                os.unlink(name)


def test_unpacking(tried: Tried, tmp_path: Path) -> None:
    """A package is unpacked below its root or refused, whatever is in it."""
    (tmp_path / "root").mkdir()
    with _inside(tmp_path / "root", _unpack) as ask:

        @many
        @given(packages(), st.booleans())
        def every(content: bytes, everything: bool) -> None:
            ask((content, everything))

        every()
    assert [path.name for path in tmp_path.iterdir()] == ["root"]
    tried(EXAMPLES)


PASSWD = b"root:x:0:0:root:/root:/bin/bash\nman:x:6:12:man:/var/cache/man:/usr/sbin/nologin\n"
SAID = {
    "etc/passwd": PASSWD,
    "etc/group": PASSWD,
    "var/lib/dpkg/diversions": b"/usr/bin/a\n/usr/bin/a.distrib\nodd\n",
    "var/lib/dpkg/statoverride": b"root mail 2755 /usr/bin/mail-lock\n",
}
"""What a tree says, and packages may have written, by its place."""


def _know(contents: Sequence[bytes]) -> None:
    for place, content in zip(SAID, contents):
        Path("/", place).parent.mkdir(parents=True, exist_ok=True)
        Path("/", place).write_bytes(content)
    with harmless():
        known = Known.read()
        assert all(0 <= number < 2**32 - 1 for number in (*known.users.values(), *known.groups.values()))


def test_what_a_tree_says(tried: Tried, tmp_path: Path) -> None:
    """What packages have written of users, diversions and the like is understood, whatever it is."""
    odd = (b":", "\u0663".encode(), b"\n", b"9" * 20)
    with _inside(tmp_path, _know) as ask:

        @many
        @given(st.tuples(*(nearly(sample, odd=odd) for sample in SAID.values())))
        def every(contents: tuple[bytes, ...]) -> None:
            ask(contents)

        every()
    tried(EXAMPLES)


def test_a_package_that_unpacks_to_more_than_there_is_room(tmp_path: Path) -> None:
    """A package that unpacks to more than there is room ends in an error that names it and says so."""
    (tmp_path / "debs").mkdir()
    zeros, _ = member("./zeros")
    zeros.size = 10 << 30
    data = COMPRESS[".zst"](zeros.tobuf()) + COMPRESS[".zst"](bytes(64 << 20)) * 160
    bomb = Debs(tmp_path / "debs").make("bomb", data=data, ending="")
    packed = bomb.with_name("bomb.packed.deb")
    content = bomb.read_bytes()
    packed.write_bytes(content.replace(b"data.tar        ", b"data.tar.zst    "))
    (tmp_path / "tree").mkdir()
    with mounted("tmpfs", tmp_path / "tree", "tmpfs", 0, "size=64m,mode=0755") as root:
        (root / "var/lib/dpkg/info").mkdir(parents=True)
        argv = [sys.executable, "-c", _UNPACKED, str(root), str(packed)]
        *said, peak = subprocess.run(argv, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
    assert "bomb.packed.deb: [Errno 28] No space left on device" in "".join(said)
    assert int(peak) < 512 << 10


# In a process of its own: a program counts the memory of what it was forked from (getrusage(2)), which is much here.
_UNPACKED = """
import resource, sys
from pathlib import Path
from fuel_image.errors import BuildError
from fuel_image.tree import ahead
from fuel_image.tree.root import Tree
try:
    ahead.unpack(Tree(Path(sys.argv[1])), [Path(sys.argv[2])])
except BuildError as error:
    print(error)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""
