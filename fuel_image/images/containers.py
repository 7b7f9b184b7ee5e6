"""Containers: how a published file is compressed.

Owns the table CONTAINERS: one row for each, with a compressor of bytes to a file, and the way back. The gzip container
is one member, because the node's reader stops after the first (fuel_agent.utils.artifact.GunzipStream). It must not
know what is compressed.
"""

from __future__ import annotations

import lzma
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Callable, Protocol

import zstandard
from isal import igzip_threaded, isal_zlib

from fuel_image import xz

_GZIP_LEVEL = 1  # ISA-L's levels go from 0 to 3
_GZIP_WINDOW_BITS = 31  # zlib.h: the largest window, with gzip's header and trailer
_ZSTD_LEVEL = 3
_XZ_PRESET = 1  # higher presets take minutes for a root file system and gain a tenth
_CHUNK_BYTES = 1 << 16

RAW = "raw"
"""The one in which a file is as it is."""


class Sink(Protocol):
    """What is written to."""

    def write(self, chunk: bytes, /) -> int:
        """Take in a chunk."""

    def flush(self) -> None:
        """Pass on what is held back."""


Stream = AbstractContextManager[Any]
"""A stream that takes content by ``write`` and ends with its ``with``; the libraries' types have nothing in common."""


@dataclass(frozen=True)
class Container:
    """*opened* takes the file to write to and the threads to use, and gives a stream that takes the content.

    *reading* takes what has ``read(size)`` and gives a stream that returns the content; it raises UNPACKING_ERRORS.
    """

    opened: Callable[[Sink, int], Stream]
    reading: Callable[[Any], Stream]


def _gzip(file: Sink, threads: int) -> Stream:
    stream: Stream = igzip_threaded.open(file, "wb", compresslevel=_GZIP_LEVEL, threads=threads)  # type: ignore[no-untyped-call]
    return stream


def _zstd(file: Sink, threads: int) -> Stream:
    compressor = zstandard.ZstdCompressor(level=_ZSTD_LEVEL, threads=threads, write_checksum=True)
    return compressor.stream_writer(file, closefd=False)  # type: ignore[arg-type]


def _xz(file: Sink, _threads: int) -> Stream:
    # CRC32, for the kernel's own reader, which unpacks a RAM disk, knows no other (Documentation/staging/xz.rst)
    return lzma.LZMAFile(file, "wb", check=lzma.CHECK_CRC32, preset=_XZ_PRESET)  # type: ignore[arg-type]


class _Member:
    """The content of the first member of a gzip file; that more follows is an error."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self._inflater = isal_zlib.decompressobj(wbits=_GZIP_WINDOW_BITS)

    def read(self, size_bytes: int) -> bytes:
        """Return up to *size_bytes*, none at the end."""
        while not self._inflater.eof:
            packed = self._inflater.unconsumed_tail or self._file.read(_CHUNK_BYTES)
            if not packed:
                raise EOFError("it is cut short")
            if content := self._inflater.decompress(packed, size_bytes):
                return content
        if self._inflater.unused_data or self._file.read(1):
            raise ValueError("it goes on after the first gzip member, which is all that nodes read")
        return b""


def _unzstd(file: Any) -> Stream:
    return zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True, closefd=False)


CONTAINERS: Mapping[str, Container] = {
    "gzip": Container(_gzip, lambda file: nullcontext(_Member(file))),
    RAW: Container(lambda file, _threads: nullcontext(file), nullcontext),
    "zstd": Container(_zstd, _unzstd),
    "xz": Container(_xz, xz.opened),
}
UNPACKING_ERRORS: tuple[type[Exception], ...] = (
    *(EOFError, ValueError, lzma.LZMAError, zstandard.ZstdError),
    isal_zlib.IsalError,  # type: ignore[assignment]  # its stub is wrong
)
