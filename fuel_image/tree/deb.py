"""The package format.

Owns the reading of .deb files (deb(5): an ar archive with a control.tar and a data.tar member). It must not write
anything.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, BinaryIO, Callable

import zstandard

_AR_MAGIC = b"!<arch>\n"
_AR_HEADER_BYTES = 60
_BUFFER_BYTES = 1 << 18


def _zstd(stream: BinaryIO) -> Any:
    return io.BufferedReader(zstandard.ZstdDecompressor().stream_reader(stream, read_across_frames=True), _BUFFER_BYTES)


# The values are files that can be read; the standard library's have no common type.
_DECOMPRESS: Mapping[str, Callable[[Any], Any]] = {
    "": lambda stream: stream,
    ".gz": lambda stream: gzip.GzipFile(fileobj=stream),
    ".bz2": bz2.BZ2File,
    ".xz": lzma.LZMAFile,
    ".lzma": lzma.LZMAFile,
    ".zst": _zstd,
}

_DAMAGED = (OSError, EOFError, tarfile.TarError, zlib.error, lzma.LZMAError, zstandard.ZstdError)
_ABSURD = (
    ValueError,
    OverflowError,
    RecursionError,
)  # in extended headers, a number may be anything, and a name hold NUL
UNREADABLE = (*_DAMAGED, *_ABSURD)
"""What reading a package, or making what it holds, may raise besides DebError."""


class DebError(Exception):
    """A file is not a package that can be read."""


class _Section(io.RawIOBase):
    """A stretch of a file as a file of its own."""

    def __init__(self, file: BinaryIO, size_bytes: int) -> None:
        self._file = file
        self._left = size_bytes

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:  # type: ignore[no-untyped-def]
        chunk = self._file.read(min(len(buffer), self._left))
        if self._left and not chunk:
            raise DebError("the file is cut short")
        buffer[: len(chunk)] = chunk
        self._left -= len(chunk)
        return len(chunk)


class _Member(tarfile.TarInfo):
    """A member of a tar archive: where its header cannot be read is an error, which tarfile takes for the end."""

    @classmethod
    def fromtarfile(cls, archive: tarfile.TarFile) -> _Member:
        try:
            return super().fromtarfile(archive)
        except (tarfile.InvalidHeaderError, tarfile.TruncatedHeaderError) as error:  # type: ignore[attr-defined]
            raise tarfile.ReadError(str(error)) from error


@contextmanager
def opened(stream: Any) -> Iterator[tarfile.TarFile]:
    """Open the tar archive that can be read from *stream*; at the end of the block, see that its check sum fits."""
    with stream, tarfile.open(fileobj=stream, mode="r|", errorlevel=2, tarinfo=_Member) as tar:
        yield tar
        while stream.read(_BUFFER_BYTES):  # decompressors compare it when they reach it
            pass


@dataclass(frozen=True)
class ControlFile:
    """A file of a package's control.tar; *mtime* in seconds since the epoch."""

    mode: int
    mtime: int
    content: bytes


def control_files(deb: BinaryIO) -> Mapping[str, ControlFile]:
    """Return the control files of a package (deb-control(5) and its like) by name. Raises DebError."""
    found = {}
    with opened(_member(deb, "control.tar")) as tar:
        for member in tar:
            content = tar.extractfile(member) if member.isreg() else None
            if content is not None:
                found[PurePosixPath(member.name).name] = ControlFile(
                    member.mode & 0o7777, int(member.mtime), content.read()
                )
    if "control" not in found:
        raise DebError("no control file")
    return found


def data_member(deb: BinaryIO) -> Any:
    """Return the unpacked data.tar of a package, as a stream. Raises DebError."""
    return _member(deb, "data.tar")


def _member(deb: BinaryIO, wanted: str) -> Any:
    deb.seek(0)
    if deb.read(len(_AR_MAGIC)) != _AR_MAGIC:
        raise DebError("no ar archive")
    while header := deb.read(_AR_HEADER_BYTES):
        name = header[:16].decode("ascii", "replace").strip().rstrip("/")
        digits = header[48:58].strip()
        if len(header) != _AR_HEADER_BYTES or header[58:] != b"`\n" or not digits.isdigit():
            raise DebError("damaged ar header")
        size_bytes = int(digits)
        if name.startswith(wanted):
            ending = name[len(wanted) :]
            if ending not in _DECOMPRESS:
                raise DebError(f"{name}: unknown compression")
            return _DECOMPRESS[ending](io.BufferedReader(_Section(deb, size_bytes), _BUFFER_BYTES))
        deb.seek(size_bytes + size_bytes % 2, io.SEEK_CUR)
    raise DebError(f"no {wanted}")
