"""A mirror that keeps a build waiting."""

from __future__ import annotations

import collections
import threading
from pathlib import Path

import requests

from tests.integration.conftest import Request
from tests.integration.servers import Handler

TRICKLE_BYTES = 900
"""How much of the held file comes at a byte a second; a mirror that says nothing at all would be asked again."""

State = dict[str, tuple[int, int, int]]


def state(directory: Path) -> State:
    """Return what tells whether a file of a directory has been written or replaced."""
    found = {path.name: path.stat() for path in directory.glob("*")}
    return {name: (one.st_ino, one.st_mtime_ns, one.st_ctime_ns) for name, one in found.items()}


class SlowMirror:
    """Relays the repositories of a request; the end of a file whose path holds *held* comes when it is released.

    ``gets`` counts how often each path was asked for, ``outputs`` is what lay in the request's output each time that
    a build asked for a Release.
    """

    def __init__(self, request: Request, held: str) -> None:
        self.gets: collections.Counter[str] = collections.Counter()
        self.outputs: list[State] = []
        self.released = threading.Event()
        self._repos = request["repos"]
        self._upstream = [repo["uri"] for repo in self._repos]
        self._output = Path(request["output"])
        self._held = held

    def stand_at(self, url: str) -> None:
        """Make the request name this mirror, which is served at *url*."""
        for index, repo in enumerate(self._repos):
            repo["uri"] = f"{url}/{index}"

    def handler(self) -> type[Handler]:
        mirror, session = self, requests.Session()

        class Relay(Handler):
            def do_GET(self) -> None:
                _, index, path = self.path.split("/", 2)
                answer = session.get(f"{mirror._upstream[int(index)]}/{path}", timeout=60)
                mirror.gets[self.path] += 1
                if path.endswith("InRelease"):
                    mirror.outputs.append(state(mirror._output))
                self.send_response(answer.status_code)
                self.send_header("Content-Length", str(len(answer.content)))
                self.end_headers()
                at_once = len(answer.content) - (TRICKLE_BYTES if mirror._held in path else 0)
                self.wfile.write(answer.content[:at_once])
                for byte in answer.content[at_once:]:
                    self.wfile.write(bytes([byte]))
                    mirror.released.wait(1)

        return Relay
