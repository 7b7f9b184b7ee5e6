"""HTTP servers on loopback that stop by themselves."""

from __future__ import annotations

import functools
import http.server
import ssl
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Callable

import requests

_LOOK_AGAIN_SECONDS = 0.02
"""How often a server looks whether it is to end."""


class Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *arguments: object) -> None:
        pass


@contextmanager
def serving(
    handler: Callable[..., http.server.BaseHTTPRequestHandler],
    port: int = 0,
    host: str = "127.0.0.1",
    tls: ssl.SSLContext | None = None,
) -> Iterator[str]:
    """Serve on a loopback address for the length of the block; give the root URL."""
    server = http.server.ThreadingHTTPServer((host, port), handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(_LOOK_AGAIN_SECONDS,), daemon=True)
    thread.start()
    try:
        yield f"{'https' if tls else 'http'}://{host}:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def directory(path: Path, host: str = "127.0.0.1") -> AbstractContextManager[str]:
    """Serve the files below a directory."""
    return serving(functools.partial(Handler, directory=str(path)), host=host)


def stand_in(prefix: str, suite: str, mirror: str, real_suite: str) -> type[Handler]:
    """Return a handler that shows *real_suite* of *mirror* as *suite* below *prefix*."""
    session = requests.Session()

    class StandIn(Handler):
        def do_GET(self) -> None:
            if not self.path.startswith(prefix + "/"):
                self.send_error(404)
                return
            path = self.path[len(prefix) :].replace(f"/dists/{suite}/", f"/dists/{real_suite}/")
            answer = session.get(mirror + path, timeout=60)
            self.send_response(answer.status_code)
            self.send_header("Content-Length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

    return StandIn
