"""Kept out: what an HTTP server may not do.

The servers are on two addresses of loopback. What counts as this machine itself is told apart where it matters.
"""

from __future__ import annotations

import base64
import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Callable

import pytest

from fuel_image import record
from fuel_image.archive import redirects
from fuel_image.archive.fetch import Fetcher
from fuel_image.archive.pool import Pool
from fuel_image.commands.published import transport
from fuel_image.errors import FetchError
from fuel_image.record import RecordError
from fuel_image.request import Proxies
from tests.integration.servers import Handler, serving

from .authority import Authority

USER = "user:s3cret"
BASIC = "Basic " + base64.b64encode(USER.encode()).decode()
ELSEWHERE = "http://mirror.example.org"
"""No address of this machine; a proxy answers for it."""

SELF = "self:"
"""In a Location: the server that sends it."""
Seen = list[tuple[str, "str | None", "str | None"]]
"""Of each request what was asked for, its Authorization and its Proxy-Authorization."""


class Web:
    """Servers that redirect as they are told, and say what else they were asked."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack

    def server(self, *locations: str, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> tuple[str, Seen]:
        """Start a server that redirects /0 to the first of *locations* and so on, and answers all else."""
        seen: Seen = []

        class Server(Handler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                seen.append((self.path, self.headers.get("Authorization"), self.headers.get("Proxy-Authorization")))
                number = self.path.rpartition("/")[2]
                self.send_response(302 if number.isdecimal() else 200)
                if number.isdecimal():
                    location = locations[int(number)].replace(SELF, f"http://{self.headers['Host']}")
                    self.send_header("Location", location.encode().decode("latin-1"))
                self.send_header("Content-Length", "5")
                self.end_headers()
                self.wfile.write(b"there")

        return self._stack.enter_context(serving(Server, tls=tls, host=host)), seen


@pytest.fixture
def web() -> Iterator[Web]:
    with ExitStack() as stack:
        yield Web(stack)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority") / "files")


@pytest.fixture
def got(tmp_path: Path) -> Callable[..., bytes]:
    """Return a function that fetches a URL."""

    def fetched(url: str, *allowed: str, proxies: Proxies | None = None) -> bytes:
        fetcher = Fetcher(Pool(tmp_path / "pool"), proxies, redirects=allowed)
        return fetcher.small((url,), "the file", 100)

    return fetched


Got = Callable[..., bytes]


@pytest.mark.parametrize("kind", ["self-signed", "of an authority that nobody knows", "for another host", "expired"])
def test_certificates(
    kind: str, got: Got, web: Web, authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A TLS certificate that does not prove the host is refused, and the message says what to do."""
    contexts = {
        "self-signed": lambda: authority.self_signed("IP:127.0.0.1"),
        "of an authority that nobody knows": lambda: Authority(tmp_path / "stranger").server("IP:127.0.0.1"),
        "for another host": lambda: authority.server("IP:127.0.0.9"),
        "expired": lambda: authority.server("IP:127.0.0.1", expired=True),
    }
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.certificate))
    url, seen = web.server(tls=contexts[kind]())
    with pytest.raises(FetchError, match=r"TLS: .*([Cc]ertificate|hostname).*\(attempts: 1\)") as caught:
        got(f"{url}/file")
    assert "REQUESTS_CA_BUNDLE" in caught.value.advice and "clock" in caught.value.advice
    assert seen == []


def test_an_authority_of_the_site(got: Got, web: Web, authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    """An authority of the site's own counts where the environment names it; a file that is not there is an error."""
    url, _ = web.server(tls=authority.server("IP:127.0.0.1"))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.certificate))
    assert got(f"{url}/file") == b"there"
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.certificate) + ".absent")
    with pytest.raises(FetchError, match=r"invalid path: .*absent"):
        got(f"{url}/file")


def test_a_handshake_that_breaks_off(got: Got, web: Web, authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    """A TLS connection that breaks off is tried again, unlike one that proves nothing."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.certificate))
    context, alerts = authority.server("IP:127.0.0.1"), [ssl.ALERT_DESCRIPTION_INTERNAL_ERROR] * 2
    context.sni_callback = lambda *_: alerts.pop() if alerts else None
    url, _ = web.server(tls=context)
    assert got(f"{url}/file") == b"there"
    assert alerts == []


REFUSED = [
    "file:///etc/passwd",
    "FILE:/etc/passwd",
    "ftp://mirror.example.org/file",
    "gopher://127.0.0.1/",
    "data:,there",
    "//",
    "http://",
    "http://[::1",
    "http://mirror.example.org:99999/file",
    "http://.../file",
    "javascript:there",
    "http://①②⑦.⓪.⓪.①/file",
]


@pytest.mark.parametrize("location", REFUSED)
def test_what_is_no_http(location: str, got: Got, web: Web) -> None:
    """A redirect to what is no HTTP address is refused, whatever the site allows."""
    url, _ = web.server(location)
    with pytest.raises(FetchError, match=r"/0: .*\(attempts: 1\)"):
        got(f"{url}/0", redirects.SCHEME, redirects.LOOPBACK)


@pytest.mark.parametrize("secure_first", [True, False], ids=["to http", "to https"])
def test_another_scheme(
    secure_first: bool, got: Got, web: Web, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A redirect to another scheme is refused unless the site allows it, and the message names the setting."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.certificate))
    first, second = (
        authority.server("IP:127.0.0.1") if secure else None for secure in (secure_first, not secure_first)
    )
    target, seen = web.server(tls=second)
    url, _ = web.server(f"{target}/file", tls=first)
    with pytest.raises(FetchError, match=rf"redirects to {target}/file, another scheme \(attempts: 1\)") as caught:
        got(f"{url}/0")
    assert "redirects: [scheme]" in caught.value.advice
    assert seen == []
    assert got(f"{url}/0", redirects.SCHEME) == b"there"


LOOPBACK = [
    "localhost",
    "LOCALHOST.",
    "127.0.0.1",
    "127.255.255.254",
    "127.1",
    "2130706433",
    "0x7f000001",
    "0177.0.0.1",
    "0.0.0.0",
    "%31%32%37.0.0.1",
    "mirror.example.org\\@127.0.0.1",
    "0",
    "[::1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[0:0:0:0:0:ffff:7f00:1]",
    "named-like-nothing.example.org",
]


@pytest.mark.parametrize("host", LOOPBACK)
def test_loopback(host: str, got: Got, web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    """A redirect to this machine itself, in whatever form it is written, is refused unless the site allows it."""
    resolve = socket.getaddrinfo

    def resolved(name: str, *arguments: object, **options: object) -> object:
        return resolve("127.0.0.1" if name.startswith("named-like") else name, *arguments, **options)  # type: ignore

    monkeypatch.setattr(socket, "getaddrinfo", resolved)
    proxy, seen = web.server(f"http://{host}/secrets")
    proxies = Proxies((("http", proxy),))
    with pytest.raises(FetchError, match=r"redirects to http://.*/secrets, which is this machine itself") as caught:
        got(f"{ELSEWHERE}/0", proxies=proxies)
    assert "[loopback]" in caught.value.advice
    assert [path for path, *_ in seen] == [f"{ELSEWHERE}/0"]
    assert got(f"{ELSEWHERE}/0", redirects.LOOPBACK, proxies=proxies) == b"there"


def test_from_loopback(got: Got, web: Web) -> None:
    """A redirect from this machine to another, whose word does not count here, is refused unless the site allows it."""
    proxy, seen = web.server()
    url, _ = web.server(f"{ELSEWHERE}/file")
    proxies = Proxies((("http", proxy),), ("127.0.0.1",))
    with pytest.raises(FetchError, match=rf"redirects to {ELSEWHERE}/file, which is another machine"):
        got(f"{url}/0", proxies=proxies)
    assert seen == []
    assert got(f"{url}/0", redirects.LOOPBACK, proxies=proxies) == b"there"


def test_a_published_set(web: Web) -> None:
    """A published set is looked at by the same rules."""
    url, _ = web.server("https://mirror.example.org/set.yaml")
    with pytest.raises(RecordError, match=r"redirects to https://mirror\.example\.org/set\.yaml, another") as caught:
        record.fetched(f"{url}/0", transport())
    assert "name the address" in caught.value.advice


def test_other_redirects(got: Got, web: Web) -> None:
    """A redirect to another host, or from loopback to loopback, is followed."""
    other, _ = web.server(host="127.0.0.2")
    url, _ = web.server("/file", "file", f"//{other.partition('//')[2]}/file", f"{other}/file")
    proxy, seen = web.server("http://other.example.org/file")
    for number in range(4):
        assert got(f"{url}/deep/{number}") == b"there"
    assert got(f"{ELSEWHERE}/0", proxies=Proxies((("http", proxy),))) == b"there"
    assert [path for path, *_ in seen] == [f"{ELSEWHERE}/0", "http://other.example.org/file"]


def test_a_loop(got: Got, web: Web) -> None:
    """Redirects that never end are given up after ten, and the message says so."""
    url, seen = web.server("/1", "/0")
    with pytest.raises(FetchError, match=r"redirects more than 10 times, at last to .*/[01] \(attempts: 1\)"):
        got(f"{url}/0")
    assert len(seen) == redirects.MOST + 1


def test_credentials(got: Got, web: Web) -> None:
    """The credentials of a URL go to no other host, port or scheme, and where they belong also after a redirect."""
    host, seen_there = web.server(host="127.0.0.2")
    port, seen_at_port = web.server()
    url, seen = web.server(f"{host}/file", f"{port}/file", "/here", f"{SELF}/there")
    own = url.replace("//", f"//{USER}@")
    for number in range(4):
        assert got(f"{own}/{number}") == b"there"
    assert seen == [(path, BASIC, None) for path in ("/0", "/1", "/2", "/here", "/3", "/there")]
    assert seen_there == seen_at_port == [("/file", None, None)]


def test_credentials_of_another_scheme(
    got: Got, web: Web, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the site allows another scheme, credentials are not sent there all the same."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.certificate))
    plain, seen = web.server()
    secure, seen_secure = web.server(f"{plain}/file", tls=authority.server("IP:127.0.0.1"))
    assert got(secure.replace("//", f"//{USER}@") + "/0", redirects.SCHEME) == b"there"
    assert (seen_secure, seen) == ([("/0", BASIC, None)], [("/file", None, None)])


def test_credentials_of_a_proxy(got: Got, web: Web) -> None:
    """The credentials of a proxy go to the proxy only, even after a redirect to a host that is reached without it."""
    origin, seen = web.server()
    proxy, seen_by_proxy = web.server(f"{origin}/file")
    proxies = Proxies((("http", proxy.replace("//", f"//{USER}@")),), ("127.0.0.1",))
    assert got(f"{ELSEWHERE}/0", redirects.LOOPBACK, proxies=proxies) == b"there"
    assert (seen_by_proxy, seen) == ([(f"{ELSEWHERE}/0", None, BASIC)], [("/file", None, None)])


def test_tls_through_a_proxy(got: Got, web: Web, authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    """TLS is verified through a proxy too, which sees its own credentials and nothing of what is asked."""
    url, seen = web.server(tls=authority.server("IP:127.0.0.1"))
    seen_by_proxy: Seen = []

    class Proxy(Handler):
        def do_CONNECT(self) -> None:
            seen_by_proxy.append((self.path, self.headers.get("Authorization"), self.headers["Proxy-Authorization"]))
            host, _, port = self.path.partition(":")
            with socket.create_connection((host, int(port))) as origin:
                self.send_response(200)
                self.end_headers()
                back = threading.Thread(target=relayed, args=(origin, self.connection))
                back.start()
                relayed(self.connection, origin)
                back.join()

    with serving(Proxy) as proxy:
        proxies = Proxies((("https", proxy.replace("//", f"//{USER}@")),))
        with pytest.raises(FetchError, match=r"TLS: .*certificate"):
            got(f"{url}/file", proxies=proxies)
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.certificate))
        assert got(url.replace("//", "//mine:own@") + "/file", proxies=proxies) == b"there"
    assert seen_by_proxy == [(url.partition("//")[2], None, BASIC)] * 2
    assert [(path, proxy) for path, _, proxy in seen] == [("/file", None)]


def relayed(source: socket.socket, target: socket.socket) -> None:
    """Copy what comes until nothing does."""
    with contextlib.suppress(OSError):
        while chunk := source.recv(1 << 16):
            target.sendall(chunk)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


def test_netrc(got: Got, web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a .netrc of the host knows is sent to nobody."""
    (tmp_path / "netrc").write_text("default login user password s3cret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    url, seen = web.server("/file")
    assert got(f"{url}/0") == b"there"
    assert [authorization for _, authorization, _ in seen] == [None, None]
