"""How slowly an answer may come.

Owns the verdict on a connection that gives a byte now and then, which no timeout between two reads ever ends, and the
connections of requests and urllib3 on which it is found. It must not know what comes.
"""

from __future__ import annotations

import http.client
import io
import threading
import time
from typing import Any

import requests.adapters
import urllib3

_WINDOW_SECONDS = 30.0
_LEAST_BYTES_PER_SECOND = 1000
"""What dnf expects of a mirror, too (minrate and timeout of dnf.conf(5))."""


class TooSlow(Exception):
    """Hardly anything has come for a while."""


class _Received:
    """The bytes that all connections of this process have received together: they share one line."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.total_bytes = 0

    def add(self, size_bytes: int) -> None:
        with self._lock:
            self.total_bytes += size_bytes


_RECEIVED = _Received()


class _Watched(io.RawIOBase):
    """What comes on one connection. Raises TooSlow when waiting for it has brought too little, here and elsewhere.

    Only the time in which something is waited for counts: who reads slowly, as a limit to the bandwidth makes us do,
    waits for nothing.
    """

    def __init__(self, stream: io.RawIOBase) -> None:
        super().__init__()
        self._stream = stream
        self._waited_seconds = 0.0
        self._before_bytes = _RECEIVED.total_bytes

    def readable(self) -> bool:
        """Tell that it is to be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read what is there, or wait for it."""
        started = time.monotonic()
        count = self._stream.readinto(buffer) or 0
        self._waited_seconds += time.monotonic() - started
        _RECEIVED.add(count)
        if self._waited_seconds >= _WINDOW_SECONDS:
            came_bytes = _RECEIVED.total_bytes - self._before_bytes
            if came_bytes < _LEAST_BYTES_PER_SECOND * _WINDOW_SECONDS:
                raise TooSlow(f"it is too slow: {came_bytes} bytes came in {self._waited_seconds:.0f} seconds")
            self._waited_seconds, self._before_bytes = 0.0, _RECEIVED.total_bytes
        return count

    def close(self) -> None:
        """Let go of the connection."""
        self._stream.close()
        super().close()


class _Response(http.client.HTTPResponse):
    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.fp = io.BufferedReader(_Watched(self.fp.detach()))


class _Plain(urllib3.connection.HTTPConnection):
    response_class = _Response


class _Secure(urllib3.connection.HTTPSConnection):
    response_class = _Response


class _PlainPool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Plain


class _SecurePool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _Secure


_POOLS = {"http": _PlainPool, "https": _SecurePool}


class Adapter(requests.adapters.HTTPAdapter):
    """How requests connects, directly or by way of a proxy, so that each connection is watched."""

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        """Make the direct connections ours."""
        super().init_poolmanager(*arguments, **options)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, *arguments: Any, **options: Any) -> Any:
        """Make those to a proxy ours."""
        manager = super().proxy_manager_for(*arguments, **options)
        manager.pool_classes_by_scheme = _POOLS
        return manager
