"""A forward proxy on loopback that counts.

Owns an independent witness of what builds fetch. It must not keep or change anything.
"""

from __future__ import annotations

import collections
import contextlib
import http.server
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import requests

_CHUNK_BYTES = 1 << 18
_PASSED_ON = ("Range", "If-Modified-Since", "If-None-Match", "If-Range", "User-Agent", "Accept-Encoding")
_DOWNLOADS = (requests.codes.ok, requests.codes.partial_content)
_RELEASES = ("InRelease", "Release", "Release.gpg")
"""What every build must ask for; that it is fetched by each is no duplicate."""


@dataclass
class Fetched:
    """How many times each address was fetched, in whole or in part."""

    counts: collections.Counter[str] = field(default_factory=collections.Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def note(self, address: str) -> None:
        """Count a download; may be called from any thread."""
        with self._lock:
            self.counts[address] += 1

    @property
    def total(self) -> int:
        """How many downloads there were."""
        return sum(self.counts.values())

    @property
    def duplicates(self) -> int:
        """How many downloads were of what another had fetched."""
        return sum(count - 1 for address, count in self.counts.items() if address.rpartition("/")[2] not in _RELEASES)


@contextlib.contextmanager
def proxy() -> Iterator[tuple[str, Fetched]]:
    """Serve as a forward proxy for the length of the block; give its address and its count."""
    fetched, sessions = Fetched(), threading.local()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if not hasattr(sessions, "one"):
                sessions.one = requests.Session()
            headers = {name: self.headers[name] for name in _PASSED_ON if name in self.headers}
            answer = sessions.one.get(self.path, headers=headers, stream=True, timeout=60)
            if answer.status_code in _DOWNLOADS:
                fetched.note(self.path)
            body = answer.raw
            self.send_response(answer.status_code)
            for name in (
                "Content-Length",
                "Content-Type",
                "Content-Range",
                "Content-Encoding",
                "ETag",
                "Last-Modified",
            ):
                if name in answer.headers:
                    self.send_header(name, answer.headers[name])
            if "Content-Length" not in answer.headers:
                self.send_header("Connection", "close")
                self.close_connection = True
            self.end_headers()
            shutil.copyfileobj(body, self.wfile, _CHUNK_BYTES)

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", fetched
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
