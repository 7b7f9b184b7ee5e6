"""Reading xz in bounded memory.

Owns the limit that ``lzma.LZMAFile`` does not have: a stream says itself how much memory it takes to unpack, up to four
gigabytes, and a few kilobytes may ask for all of it.
"""

from __future__ import annotations

import io
import lzma
from typing import Any

_MEMORY_LIMIT_BYTES = 256 << 20
"""xz -9 takes 65 MiB."""
_CHUNK_BYTES = 1 << 16


class _Unpacked(io.RawIOBase):
    """The content of the xz (or lzma) streams in a file, one after the other; what follows them is passed over."""

    def __init__(self, packed: Any) -> None:
        self._packed = packed
        self._decoder = _decoder()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:  # type: ignore[no-untyped-def]
        while True:
            if self._decoder.eof:
                packed = self._decoder.unused_data or self._packed.read(_CHUNK_BYTES)
                decoder = _decoder()
                try:
                    content = decoder.decompress(packed, len(buffer))
                except lzma.LZMAError:
                    packed = b""  # padding, or what LZMAFile passes over too
                if not packed:
                    return 0
                self._decoder = decoder
            else:
                packed = self._packed.read(_CHUNK_BYTES) if self._decoder.needs_input else b""
                if self._decoder.needs_input and not packed:
                    raise EOFError("it is cut short")
                content = self._decoder.decompress(packed, len(buffer))
            if content:
                buffer[: len(content)] = content
                return len(content)


def _decoder() -> lzma.LZMADecompressor:
    return lzma.LZMADecompressor(memlimit=_MEMORY_LIMIT_BYTES)


def opened(packed: Any) -> io.BufferedReader:
    """Return the content of an xz file, which has ``read(size)``, as a stream. It raises LZMAError and EOFError."""
    return io.BufferedReader(_Unpacked(packed), _CHUNK_BYTES)
