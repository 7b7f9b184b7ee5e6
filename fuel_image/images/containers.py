"""Containers: how a published file is compressed.

Owns the table CONTAINERS: one row for each, with a compressor of bytes to a file. The gzip container is one member,
because the node's reader stops after the first (fuel_agent.utils.artifact.GunzipStream). It must not know what is
compressed.
"""

from __future__ import annotations

import lzma
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Callable, Protocol

import zstandard
from isal import igzip_threaded

_GZIP_LEVEL = 1  # ISA-L's levels go from 0 to 3
_ZSTD_LEVEL = 3
_XZ_PRESET = 1  # higher presets take minutes for a root file system and gain a tenth


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
    """*opened* takes the file to write to and the threads to use, and gives a stream that takes the content."""

    opened: Callable[[Sink, int], Stream]


def _gzip(file: Sink, threads: int) -> Stream:
    stream: Stream = igzip_threaded.open(file, "wb", compresslevel=_GZIP_LEVEL, threads=threads)  # type: ignore[no-untyped-call]
    return stream


def _zstd(file: Sink, threads: int) -> Stream:
    compressor = zstandard.ZstdCompressor(level=_ZSTD_LEVEL, threads=threads, write_checksum=True)
    return compressor.stream_writer(file, closefd=False)  # type: ignore[arg-type]


def _xz(file: Sink, _threads: int) -> Stream:
    return lzma.LZMAFile(file, "wb", preset=_XZ_PRESET)  # type: ignore[arg-type]


CONTAINERS: Mapping[str, Container] = {
    "gzip": Container(_gzip),
    "raw": Container(lambda file, _threads: nullcontext(file)),
    "zstd": Container(_zstd),
    "xz": Container(_xz),
}
