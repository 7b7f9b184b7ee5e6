"""Bad input. What programs of the tree and servers say."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fuel_image.archive import redirects, transport
from fuel_image.archive.throttle import Throttle
from fuel_image.archive.transport import Failure, Transport
from fuel_image.errors import BuildError
from fuel_image.request import Proxies
from fuel_image.tree import apt, deferred, password
from fuel_image.tree.chroot import Chroot
from fuel_image.tree.installed import installed
from fuel_image.tree.root import Tree
from tests.unit.archive.conftest import Maker, stanza
from tests.unit.archive.conftest import opened as opened

from .conftest import Tried
from .examples import EXAMPLES, many
from .harmless import harmless
from .nearly import nearly, nearly_text

pytestmark = pytest.mark.examples

URIS = """\
Reading package lists...
The following packages will be REMOVED:
  vim* nano
'http://repository-0.invalid/pool/a_1_amd64.deb' a_1_amd64.deb 10 SHA256:00
'http://repository-1.invalid/pool/b_1%3a2_amd64.deb' b_1%3a2_amd64.deb 10
"""
LISTED = "acl\t2.3.1-3\tamd64\tacl\tinstall ok installed\nlibc6:amd64\t2.36-9\tamd64\tglibc\thold ok installed\n"
CALLS = "'-c' '-k' '6.1.0-1-amd64'\n'-u'\n'-u' '-k' 'it'\\''s'\n"
SHADOW = "root:*:19000:0:99999:7:::\ndaemon:*:19000:0:99999:7:::\n"
ANSWER = b'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 7\r\nETag: "x"\r\n\r\ncontent'
PARTIAL = b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 3-6/7\r\nContent-Length: 4\r\n\r\ntent"
BUSY = b"HTTP/1.1 503 Busy\r\nRetry-After: 30\r\nDate: Sat, 10 Feb 2024 11:07:25 GMT\r\nContent-Length: 0\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7\r\ncontent\r\n0\r\n\r\n"
PACKED = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 7\r\n\r\ncontent"
HEADERS = [
    b"\r\n",
    b"\r\n\r\n",
    b"HTTP/1.1 ",
    b"Transfer-Encoding: chunked\r\n",
    b"Content-Encoding: br\r\n",
    b"\r\n ",
    b"x" * 70_000,
]


@dataclass(frozen=True)
class _Said(Chroot):
    """A chroot in which every program says the same."""

    said: str = ""

    def run(self, *_argv: str, **_options: Any) -> Any:
        return self

    @property
    def text(self) -> str:
        return self.said


def test_apt(tried: Tried, opened: Maker, tmp_path: Path) -> None:
    """What the tree's apt says gives packages of the repositories or is an error, whatever it is."""
    repositories = opened([stanza("a")], [stanza("b", "1:2")])
    chroot = _Said(Tree(tmp_path), 60)

    @many
    @given(nearly_text(URIS, odd=["repository-", ".invalid/", "'", "_", "\n"]))
    @example(URIS.replace("repository-1", "repository-2"))
    @example(URIS.replace("repository-1", f"repository-{'9' * 5000}"))
    def every(text: str) -> None:
        with harmless():
            apt._choose(replace(chroot, said=text), repositories, ["a"], None)

    found = apt._choose(replace(chroot, said=URIS), repositories, ["a"], None)
    assert ([one.name for one in found.packages], found.removed) == (["a", "b"], ("vim", "nano"))
    every()
    tried(EXAMPLES)


def test_dpkg(tried: Tried, tmp_path: Path) -> None:
    """What the tree's dpkg says of what is installed is understood or an error, whatever it is."""
    chroot = _Said(Tree(tmp_path), 60)

    @many
    @given(nearly_text(LISTED, odd=["\t", "\n", " ok "]))
    def every(text: str) -> None:
        with harmless():
            installed(replace(chroot, said=text))

    assert len(installed(replace(chroot, said=LISTED))) == 2
    every()
    tried(EXAMPLES)


def test_calls(tried: Tried, tmp_path: Path) -> None:
    """What packages have noted of calls to be made later is understood or an error, whatever it is."""
    tree = Tree(tmp_path)
    for name in ("usr/sbin/update-initramfs", "boot/vmlinuz-6.1.0-1-amd64", "run/deferred/update-initramfs.calls"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()

    @many
    @given(nearly(CALLS.encode(), odd=[b"'", b"\\", b"\n", b'"']))
    @example(b"'")
    def every(content: bytes) -> None:
        (tmp_path / "run/deferred/update-initramfs.calls").write_bytes(content)
        with harmless():
            deferred._initial_ram_disks(Chroot(tree, 60))

    every()
    tried(EXAMPLES)


def test_shadow(tried: Tried, tmp_path: Path) -> None:
    """A password is set in what packages made of /etc/shadow, or there is an error, whatever it is."""
    tree, file = Tree(tmp_path), tmp_path / "etc/shadow"
    file.parent.mkdir()
    with pytest.raises(BuildError, match="No such file"):
        password.set_root(tree, "*")

    @many
    @given(nearly(SHADOW.encode(), odd=[b":", b"\n", b"root:"]))
    def every(content: bytes) -> None:
        file.write_bytes(content)
        try:
            password.set_root(tree, "$6$x$y")
        except BuildError:
            assert file.read_bytes() == content
        else:
            changed = [
                (old, new) for old, new in zip(content.split(b"\n"), file.read_bytes().split(b"\n")) if old != new
            ]
            assert all(old.startswith(b"root") and new.startswith(b"root:$6$x$y") for old, new in changed)
            assert len(changed) <= 1

    every()
    tried(EXAMPLES)


@contextmanager
def _server(answer: list[bytes]) -> Iterator[str]:
    """Answer every connection to this machine with what *answer* holds then, and end it."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while True:
                connection, _ = listening.accept()
                with connection, suppress(OSError):  # whoever asked may have heard enough
                    connection.settimeout(5)
                    if not connection.recv(1 << 16):
                        return
                    connection.sendall(answer[0])
                    connection.shutdown(socket.SHUT_WR)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}/file"
        finally:
            socket.create_connection(listening.getsockname()).close()
            thread.join()


def test_http(tried: Tried) -> None:
    """Whatever a server answers, its first bytes among them, is content or a failure of the one request."""
    answer = [ANSWER]
    with _server(answer) as url:

        @many
        @given(nearly(ANSWER, PARTIAL, BUSY, CHUNKED, PACKED, odd=HEADERS), st.sampled_from((0, 3)))
        def every(content: bytes, offset: int) -> None:
            answer[0] = content
            way = Transport(Proxies(), 1, Throttle(None))
            with harmless(Failure, connecting=True), way.opened(url, offset) as body:
                assert sum(len(chunk) for chunk in body.chunks(1000)) <= 1000

        every()
    tried(EXAMPLES)


@many
@given(nearly_text("30", "Sat, 10 Feb 2024 11:07:25 GMT"), nearly_text("Sat, 10 Feb 2024 11:07:20 GMT", ""))
def _waits(after: str, now: str) -> None:
    with harmless():
        assert 0 <= transport._asked_seconds(after, now) <= transport._LONGEST_RETRY_AFTER_SECONDS


def test_waits(tried: Tried) -> None:
    """However long a server asks to be left alone, it is left alone for no longer than is sensible."""
    _waits()
    tried(EXAMPLES)


@many
@given(
    nearly_text("http://u:p@127.0.0.1:8080/a?b#c", "/other", "//127.0.0.1/x", odd=["@", "//", "[", "]", "%", ":", "\\"])
)
def _redirects(location: str) -> None:
    with harmless(ValueError):
        assert redirects.target("http://user:secret@127.0.0.1/a", location)


def test_redirects(tried: Tried) -> None:
    """Where a redirect leads is understood or refused, whatever it says."""
    _redirects()
    tried(EXAMPLES)
