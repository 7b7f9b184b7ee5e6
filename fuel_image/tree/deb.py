"""The package format.

Owns the reading of .deb files (deb(5): an ar archive with a control.tar and a data.tar member). It must not write
anything.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import sys
import tarfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, BinaryIO, Callable

import zstandard

from fuel_image import xz

_AR_MAGIC = b"!<arch>\n"
_AR_HEADER_BYTES = 60
_BUFFER_BYTES = 1 << 18
_LONGEST_EXTENSION_BYTES = 64 << 10
"""Of a header: a path has at most 4 KiB."""
_EXTENSIONS = (
    *(tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK),
    *(tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE),
)
_CONTROL_LIMIT_BYTES = 64 << 20
"""For all control files: the largest list of digests has a tenth of it."""
_HEADERS_LIMIT_BYTES = 512 << 20
"""For the names of all members, each of which takes _HEADER_BYTES besides: half a million files."""
_HEADER_BYTES = 1024
_PADDING_LIMIT_BYTES = 64 << 20
_MOST_IN_VAIN = 10


def _zstd(stream: BinaryIO) -> Any:
    return io.BufferedReader(zstandard.ZstdDecompressor().stream_reader(stream, read_across_frames=True), _BUFFER_BYTES)


# The values are files that can be read; the standard library's have no common type.
_DECOMPRESS: Mapping[str, Callable[[Any], Any]] = {
    "": lambda stream: stream,
    ".gz": lambda stream: gzip.GzipFile(fileobj=stream),
    ".bz2": bz2.BZ2File,
    ".xz": xz.opened,
    ".lzma": xz.opened,
    ".zst": _zstd,
}

_DAMAGED = (OSError, EOFError, tarfile.TarError, zlib.error, lzma.LZMAError, zstandard.ZstdError)
_ABSURD = (
    ValueError,
    OverflowError,
    RecursionError,
    MemoryError,
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

    def _proc_member(self, archive: tarfile.TarFile) -> tarfile.TarInfo:
        """Refuse sizes that tarfile takes at their word; this is where its documentation has subclasses begin."""
        if self.size < 0 or (self.type in _EXTENSIONS and self.size > _LONGEST_EXTENSION_BYTES):
            raise tarfile.ReadError(f"a header of {self.size:,} bytes")
        member: tarfile.TarInfo = super()._proc_member(archive)  # type: ignore[misc]  # not in its stub
        return member

    def _refused(self, *_: object) -> tarfile.TarInfo:
        raise tarfile.ReadError("a sparse file, which dpkg does not take either")  # its map has no end

    _proc_sparse = _proc_gnusparse_00 = _proc_gnusparse_01 = _proc_gnusparse_10 = _refused


class _Bounded:
    """A stream that may be no longer than *limit_bytes*; nor may one insist on more than it has. Raises DebError."""

    def __init__(self, stream: Any, limit_bytes: int) -> None:
        self._stream = stream
        self._left = limit_bytes
        self._in_vain = 0

    def read(self, size_bytes: int) -> bytes:
        chunk: bytes = self._stream.read(size_bytes)
        self._left -= len(chunk)
        if self._left < 0:
            raise DebError("it unpacks to more than a package may have")
        self._in_vain += not chunk
        if self._in_vain > _MOST_IN_VAIN:  # to pass over a member, tarfile reads as often as its header says
            raise DebError("an archive in it is cut short")
        return chunk


@contextmanager
def opened(stream: Any, limit_bytes: int = sys.maxsize) -> Iterator[tarfile.TarFile]:
    """Open the tar archive that can be read from *stream*; at the end of the block, see that its check sum fits."""
    bounded: Any = _Bounded(stream, limit_bytes)
    with stream, tarfile.open(fileobj=bounded, mode="r|", errorlevel=2, tarinfo=_Member) as tar:
        yield tar
        padding = _Bounded(stream, _PADDING_LIMIT_BYTES)
        while padding.read(_BUFFER_BYTES):  # decompressors compare it when they reach it
            pass


def members(tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """Give the members of an archive; raise DebError for more than memory may hold."""
    headers_bytes = 0
    for member in tar:  # which knows an empty one, as next() does from Python 3.10 on
        tar.members.clear()  # type: ignore[attr-defined]  # not in its stub; it would keep all
        headers_bytes += _HEADER_BYTES + len(member.name) + len(member.linkname) + len(str(member.pax_headers))
        if headers_bytes > _HEADERS_LIMIT_BYTES:
            raise DebError("it has more members than a package may have")
        yield member


@dataclass(frozen=True)
class ControlFile:
    """A file of a package's control.tar; *mtime* in seconds since the epoch."""

    mode: int
    mtime: int
    content: bytes


def control_files(deb: BinaryIO) -> Mapping[str, ControlFile]:
    """Return the control files of a package (deb-control(5) and its like) by name. Raises DebError."""
    found = {}
    with opened(_member(deb, "control.tar"), _CONTROL_LIMIT_BYTES) as tar:
        for member in members(tar):
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
