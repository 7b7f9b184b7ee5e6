"""An HTTP server that misbehaves on demand.

It shows the files of a directory, and a programme tells for each request which fault, if any, is in the answer.
"""

from __future__ import annotations

import collections
import email.utils
import fnmatch
import os
import random
import socket
import struct
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable
from urllib.parse import unquote

from tests.integration.servers import Handler, serving

STALL_SECONDS = 60.0
"""Longer than what is tested waits."""
_TRICKLE_SECONDS = 0.02
_OTHER_BYTES = bytes(range(255, -1, -1))
_AT_ONCE = struct.pack("ii", 1, 0)


@dataclass(frozen=True)
class Asked:
    """A request: the *times*-th for this *path*, from 1; *headers* by their names in lower case."""

    path: str
    times: int
    headers: Mapping[str, str]


Programme = Callable[[Asked], "str | None"]
"""Tells the name of the fault in the answer, None for an answer without any."""


@dataclass
class Misbehaving:
    """A server that runs, and what it was asked."""

    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    faults: list[tuple[str, str]] = field(default_factory=list)
    """The path and the fault of each answer that had one."""


class Answering(Handler):
    """Answers from *directory* as *programme* says."""

    protocol_version = "HTTP/1.1"
    directory_: Path
    programme: Programme
    state: Misbehaving
    counts: collections.Counter[str]
    lock: threading.Lock
    over: threading.Event

    def do_GET(self) -> None:
        with self.lock:
            self.counts[self.path] += 1
            headers = {name.lower(): value for name, value in self.headers.items()}
            asked = Asked(self.path, self.counts[self.path], headers)
            fault = type(self).programme(asked)
            self.state.asked.append(asked)
            if fault is not None:
                self.state.faults.append((self.path, fault))
        try:
            content = (self.directory_ / unquote(self.path).partition("?")[0].lstrip("/")).read_bytes()
        except OSError:
            self.send_error(404)
            return
        start = int(self.headers.get("Range", "bytes=0-")[6:].rstrip("-"))
        try:
            if start > len(content):
                self.refuse(416)
            elif fault is None:
                self.answer(content[start:], start=start, size=len(content))
            else:
                {**FAULTS, **_HARMLESS}[fault](self, content)
        except OSError:  # the other side has gone, which is what many faults are for
            self.close_connection = True

    def answer(
        self, body: bytes, *, start: int = 0, size: int = 0, length: int | None = None, sized: bool = True
    ) -> None:
        """Send *body*; *length* is what is said of it, nothing if it is not to be *sized*."""
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
        if sized:
            self.send_header("Content-Length", str(len(body) if length is None else length))
        else:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def refuse(self, code: int, **headers: str) -> None:
        """Send a status without a body."""
        self.send_response(code)
        for name, value in {**headers, "Content-Length": "0"}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def reset(self) -> None:
        """Break the connection so that the other side is told of an error."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
        self.hang_up()

    def hang_up(self) -> None:
        """Break the connection as if all had been said."""
        self.close_connection = True
        os.close(self.connection.detach())  # close() would wait for the files that are open on it

    def trickle(self, content: bytes, at_once: int = 1) -> None:
        """Send a few bytes now and then."""
        for place in range(0, len(content), at_once):
            self.wfile.write(content[place : place + at_once])
            self.wfile.flush()
            if self.over.wait(_TRICKLE_SECONDS):
                break


def _reset_before(handler: Answering, _content: bytes) -> None:
    handler.reset()


def _reset_amid(handler: Answering, content: bytes) -> None:
    handler.answer(content[: len(content) // 2], length=len(content))
    time.sleep(0.05)  # or what was sent would be taken back as well
    handler.reset()


def _stalled(handler: Answering, content: bytes) -> None:
    handler.answer(content[: len(content) // 2], length=len(content))
    handler.over.wait(STALL_SECONDS)
    handler.close_connection = True


def _silent(handler: Answering, _content: bytes) -> None:
    handler.over.wait(STALL_SECONDS)
    handler.close_connection = True


def _truncated(handler: Answering, content: bytes) -> None:
    handler.answer(content[: len(content) // 2], length=len(content))
    handler.hang_up()


def _cut(handler: Answering, content: bytes) -> None:
    handler.answer(content[: len(content) // 2], sized=False)
    handler.hang_up()


def _page(handler: Answering, _content: bytes) -> None:
    handler.answer(b"<html><body>Please log in</body></html>")


def _trickle(handler: Answering, content: bytes) -> None:
    handler.answer(b"", length=len(content))
    handler.trickle(content)


def _stream(handler: Answering, content: bytes) -> None:
    handler.answer(b"", length=len(content))
    handler.trickle(content, 100)


def _trickled_header(handler: Answering, _content: bytes) -> None:
    handler.trickle(b"HTTP/1.1 200 OK\r\n" + b"X-Padding: some more of it\r\n" * 80)
    handler.hang_up()


def _busy(handler: Answering, _content: bytes) -> None:
    handler.refuse(429, Retry_After="1")


def _down(handler: Answering, _content: bytes) -> None:
    handler.refuse(503, Retry_After=email.utils.formatdate(time.time() + 2, usegmt=True))


def _loop(handler: Answering, _content: bytes) -> None:
    handler.refuse(302, Location=handler.path)


def _no_http(handler: Answering, _content: bytes) -> None:
    handler.wfile.write(b"220 ready for mail\r\n")
    handler.hang_up()


FAULTS: Mapping[str, Callable[[Answering, bytes], None]] = {
    "reset before an answer": _reset_before,
    "reset amid the body": _reset_amid,
    "stalled amid the body": _stalled,
    "no answer": _silent,
    "truncated body": _truncated,
    "truncated body of no stated length": _cut,
    "longer than it is": lambda handler, content: handler.answer(content + b"more"),
    "shorter than it is": lambda handler, content: handler.answer(content[:-1]),
    "states a wrong length": lambda handler, content: handler.answer(content, length=len(content) - 1),
    "wrong bytes of the right length": lambda handler, content: handler.answer(content.translate(_OTHER_BYTES)),
    "one flipped bit": lambda handler, content: handler.answer(content[:-1] + bytes([content[-1] ^ 1])),
    "a page": _page,
    "404": lambda handler, _: handler.refuse(404),
    "403": lambda handler, _: handler.refuse(403),
    "429 with Retry-After": _busy,
    "500": lambda handler, _: handler.refuse(500),
    "503 with a date in Retry-After": _down,
    "503 for an hour": lambda handler, _: handler.refuse(503, Retry_After="3600"),
    "redirect to itself": _loop,
    "slow trickle": _trickle,
    "slow trickle of a header": _trickled_header,
    "no HTTP": _no_http,
}
_HARMLESS: Mapping[str, Callable[[Answering, bytes], None]] = {
    "slow stream": _stream,
    "the stale one": lambda handler, content: handler.answer(
        (handler.directory_ / "stale").read_bytes() if handler.path.endswith("/InRelease") else content
    ),
}
"""What is right by itself."""
PASSING = (
    "reset before an answer",
    "reset amid the body",
    "truncated body",
    "truncated body of no stated length",
    "longer than it is",
    "shorter than it is",
    "states a wrong length",
    "wrong bytes of the right length",
    "one flipped bit",
    "a page",
    "404",
    "429 with Retry-After",
    "500",
    "503 with a date in Retry-After",
    "no HTTP",
)
"""What a mirror may do now and then without being broken, and what does not take half a minute each time."""
SLOW = ("stalled amid the body", "no answer", "slow trickle", "slow trickle of a header")
"""What is noticed only after a while."""


def never(_asked: Asked) -> str | None:
    """Behave."""
    return None


def first(times: int, fault: str, pattern: str = "*") -> Programme:
    """Misbehave the first *times* that each path is asked for."""
    return lambda asked: fault if asked.times <= times and fnmatch.fnmatch(asked.path, pattern) else None


def always(fault: str, pattern: str = "*") -> Programme:
    """Misbehave whenever such a path is asked for."""
    return lambda asked: fault if fnmatch.fnmatch(asked.path, pattern) else None


def at_random(seed: int, share: float, faults: Sequence[str] = PASSING) -> Programme:
    """Misbehave in a *share* of the requests; the same seed does the same to the same requests, in whatever order."""

    def programme(asked: Asked) -> str | None:
        chance = random.Random(f"{seed} {asked.path} {asked.times}")
        return chance.choice(faults) if chance.random() < share else None

    return programme


@contextmanager
def misbehaving(directory: Path, programme: Programme = never, *, port: int = 0) -> Iterator[Misbehaving]:
    """Serve the files of *directory* for the length of the block, as *programme* says."""
    state, over = Misbehaving(), threading.Event()
    parts = {"directory_": directory, "programme": staticmethod(programme), "state": state, "over": over}
    parts |= {"counts": collections.Counter(), "lock": threading.Lock()}
    with serving(type("Handler", (Answering,), parts), port) as state.url:
        try:
            yield state
        finally:
            over.set()
