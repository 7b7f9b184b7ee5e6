"""A limit to the bytes that are fetched in a second.

Owns the waiting of all who fetch for one build. It must not fetch.
"""

from __future__ import annotations

import threading
import time


class Throttle:
    """Slows its users, whatever their threads, down to *bytes_per_second*; None slows nobody."""

    def __init__(self, bytes_per_second: int | None) -> None:
        self._rate = bytes_per_second
        self._lock = threading.Lock()
        self._free_at = 0.0

    def took(self, size_bytes: int) -> None:
        """Wait until *size_bytes* that have come are within the limit."""
        if self._rate is None:
            return
        with self._lock:
            now = time.monotonic()
            self._free_at = max(now, self._free_at) + size_bytes / self._rate
            wait_seconds = self._free_at - now
        time.sleep(wait_seconds)
