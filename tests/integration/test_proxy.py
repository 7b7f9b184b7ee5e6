"""Proxies carry the traffic, but for the hosts that are reached directly; their passwords stay secret."""

from __future__ import annotations

from pathlib import Path

from fuel_image.archive.fetch import Fetcher
from fuel_image.archive.pool import Pool
from fuel_image.request import Proxies

from .servers import Handler, serving


def test_proxies(tmp_path: Path) -> None:
    seen: list[tuple[str, str | None]] = []

    class Proxy(Handler):
        def do_GET(self) -> None:
            seen.append((self.path, self.headers.get("Proxy-Authorization")))
            self.send_response(200)
            self.send_header("Content-Length", "5")
            self.end_headers()
            self.wfile.write(b"proxy" if self.path.startswith("http") else b"plain")

    with serving(Proxy) as proxy, serving(Proxy) as origin:
        proxies = Proxies((("http", proxy.replace("//", "//user:s3cret@")),), ("127.0.0.1",))
        fetcher = Fetcher(Pool(tmp_path), proxies)
        assert fetcher.small(("http://mirror.example.org/dists",), "a file", 10) == b"proxy"
        assert fetcher.small((f"{origin}/dists",), "a file", 10) == b"plain"
    assert [path for path, _ in seen] == ["http://mirror.example.org/dists", "/dists"]
    assert seen[0][1] is not None and seen[0][1].startswith("Basic ")
