"""Unpacking .deb files into an empty tree, without dpkg.

Owns the reading of the package format (deb(5): an ar archive with a data.tar member). As a program, ``python -m
fuel_image.tree.unpack ROOT`` unpacks the files named on standard input, one path a line: it opens them, makes ROOT
its root, and only then writes, so that no path or link in a package can lead out of the tree. It must not touch
dpkg's database: these files only make the tree's own dpkg run, which then unpacks every package again.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import sys
import tarfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO, Callable

import zstandard

_AR_MAGIC = b"!<arch>\n"
_AR_HEADER_BYTES = 60
_DATA = "data.tar"


def _zstd(stream: BinaryIO) -> Any:
    return zstandard.ZstdDecompressor().stream_reader(stream, read_across_frames=True)


# The values are files that can be read; the standard library's have no common type.
_DECOMPRESS: Mapping[str, Callable[[Any], Any]] = {
    "": lambda stream: stream,
    ".gz": lambda stream: gzip.GzipFile(fileobj=stream),
    ".bz2": bz2.BZ2File,
    ".xz": lzma.LZMAFile,
    ".lzma": lzma.LZMAFile,
    ".zst": _zstd,
}


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
        buffer[: len(chunk)] = chunk
        self._left -= len(chunk)
        return len(chunk)


def data_member(deb: BinaryIO) -> Any:
    """Return the unpacked data.tar of a package, as a stream. Raises DebError."""
    if deb.read(len(_AR_MAGIC)) != _AR_MAGIC:
        raise DebError("no ar archive")
    while header := deb.read(_AR_HEADER_BYTES):
        name = header[:16].decode("ascii", "replace").strip().rstrip("/")
        digits = header[48:58].strip()
        if len(header) != _AR_HEADER_BYTES or header[58:] != b"`\n" or not digits.isdigit():
            raise DebError("damaged ar header")
        size_bytes = int(digits)
        if name.startswith(_DATA):
            ending = name[len(_DATA) :]
            if ending not in _DECOMPRESS:
                raise DebError(f"{name}: unknown compression")
            return _DECOMPRESS[ending](io.BufferedReader(_Section(deb, size_bytes), 1 << 18))
        deb.seek(size_bytes + size_bytes % 2, io.SEEK_CUR)
    raise DebError(f"no {_DATA}")


def unpack(deb: BinaryIO) -> None:
    """Unpack a package below the current root, which must be the tree's."""
    with data_member(deb) as data, tarfile.open(fileobj=data, mode="r|", errorlevel=2) as tar:
        for member in tar:
            target = os.path.normpath("/" + member.name)
            if member.isdir() and os.path.isdir(target):
                continue  # /bin may be a link into /usr, which a directory entry must not replace
            if os.path.islink(target) or (os.path.exists(target) and not os.path.isdir(target)):
                os.unlink(target)
            # tarfile answers any failure to make a link by looking for the target in the archive, which is a stream.
            if member.issym():
                os.symlink(member.linkname, target)
                os.lchown(target, member.uid, member.gid)
            elif member.islnk():
                os.link(os.path.normpath("/" + member.linkname), target, follow_symlinks=False)
            else:
                tar.extract(member, "/", numeric_owner=True, **_FILTER)


_FILTER: Any = {"filter": "fully_trusted"} if hasattr(tarfile, "fully_trusted_filter") else {}
"""We are in a chroot, so that the members' own permissions, owners and links are wanted as they are (PEP 706)."""


def main(arguments: list[str]) -> int:
    """Unpack the packages named on standard input into the tree ``arguments[0]``."""
    with ExitStack() as files:
        debs = [(path, files.enter_context(Path(path).open("rb"))) for path in sys.stdin.read().splitlines()]
        os.chroot(arguments[0])
        os.chdir("/")
        os.umask(0o022)
        for path, deb in debs:
            try:
                unpack(deb)
            except (DebError, tarfile.TarError, OSError, EOFError, lzma.LZMAError, zstandard.ZstdError) as error:
                sys.stderr.write(f"{os.path.basename(path)}: {error}\n")
                return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
