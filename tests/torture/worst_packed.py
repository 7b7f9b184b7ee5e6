"""The worst that is packed: indices, packages, images.

Owns the table PACKED, a part of that in ``worst.py``.
"""

from __future__ import annotations

import bz2
import functools
import gzip
import io
import lzma
import tarfile
import threading
import zlib
from collections.abc import Mapping
from typing import Any, Callable

import zstandard

from fuel_image import verify
from fuel_image.archive import release
from fuel_image.archive.opening import _content, _wanted_index
from fuel_image.errors import FuelImageError
from fuel_image.progress import Step
from fuel_image.record import Raw, Recorded
from fuel_image.request import Repository
from fuel_image.tree.deb import UNREADABLE, DebError, control_files, data_member, members, opened
from tests.debs import ar, member

from .worst_case import DIGEST, Worst

MEMBER = member("./x")[0].tobuf(tarfile.GNU_FORMAT)
ZEROS = zstandard.compress(bytes(64 << 20))


PACK: Mapping[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.compress,
    ".xz": lambda content: lzma.compress(content, preset=0),
    ".bz2": lambda content: bz2.compress(content, 1),
}


def _zeros(ending: str) -> bytes:
    """Return 10 GiB of zeros, in as many streams as this takes no time to make."""
    return PACK[ending](bytes(16 << 20)) * 640


def _index_of_absurd_size() -> None:
    text = f"SHA256:\n {DIGEST} 999999999999999 main/binary-amd64/Packages\n"
    repository = Repository("r", ("http://mirror.example.org/",), "noble", ("main",))
    _wanted_index(repository, release.parse(text, "r"), "main/binary-amd64/Packages")


def _image_of_zeros() -> None:
    content = zstandard.compress(bytes(64 << 20)) * (1 << 14)
    image = Recorded("image", "a", len(content), "", None, "zstd", "ext4", Raw(10, "", None), "/")
    stream = verify._Summed(iter([content]), Step("verifying"), threading.Event())
    raise FuelImageError("; ".join(verify._differences(image, stream)))


def _xz_of_four_gibibytes() -> bytes:
    """Return an xz file that says of itself that it takes as much memory to unpack (xz-file-format.txt, 3.1)."""
    packed = bytearray(lzma.compress(bytes(1000)))
    packed[16] = 40  # the size of the dictionary, in its own notation
    packed[20:24] = zlib.crc32(packed[12:20]).to_bytes(4, "little")
    return bytes(packed)


def _control(control: bytes) -> None:
    """Read the control files of a package as the unpacking does."""
    try:
        control_files(_package(b"", control))
    except (DebError, *UNREADABLE) as error:
        raise FuelImageError(str(error)) from error


def _package(data: bytes, control: bytes = b"", ending: str = ".zst") -> io.BytesIO:
    parts = (("debian-binary", b"2.0\n"), (f"control.tar{ending}", control), (f"data.tar{ending}", data))
    return io.BytesIO(ar(*parts))


def _data(data: bytes, ending: str = ".zst") -> Callable[[], Any]:
    """Read the members of a package as the unpacking does."""

    def read() -> None:
        try:
            with opened(data_member(_package(data, ending=ending))) as tar:
                for one in members(tar):
                    content = tar.extractfile(one) if one.isreg() else None
                    while content is not None and content.read(1 << 20):
                        pass
        except (DebError, *UNREADABLE) as error:
            raise FuelImageError(str(error)) from error

    return read


def _header(kind: bytes, size_bytes: int) -> bytes:
    info = member("./x", type=kind)[0]
    info.size = size_bytes
    return zstandard.compress(info.tobuf(tarfile.GNU_FORMAT))


PACKED: Mapping[str, Worst] = {
    **{
        f"an index of 10 GB{ending}": Worst(
            functools.partial(_content, _zeros(ending), ending, "an index"), "larger than 512 MiB unpacked", 1024
        )
        for ending in (".gz", ".xz", ".bz2")
    },
    "an index whose dictionary has 4 GB": Worst(
        lambda: _content(_xz_of_four_gibibytes(), ".xz", "an index"), "Memory usage limit exceeded"
    ),
    "an index of 999,999,999,999,999 bytes": Worst(_index_of_absurd_size, "more than any package index"),
    "a package whose data take a dictionary of 4 GB": Worst(
        _data(_xz_of_four_gibibytes(), ".xz"), "Memory usage limit exceeded"
    ),
    "a package with 10 GB in a control file": Worst(
        lambda: _control(_header(tarfile.REGTYPE, 10 << 30) + ZEROS * 160), "unpacks to more than"
    ),
    "a package with 50,000,000 control files": Worst(
        lambda: _control(zstandard.compress(MEMBER * (1 << 17)) * 400), "unpacks to more than"
    ),
    "a package with 50,000,000 files": Worst(_data(zstandard.compress(MEMBER * (1 << 17)) * 400), "more members than"),
    "a package with a name of 10 GB": Worst(
        _data(_header(tarfile.GNUTYPE_LONGNAME, 10 << 30) + ZEROS * 160), "a header of 10,737,418,240 bytes"
    ),
    "a package with an extended header of 10 GB": Worst(
        _data(_header(tarfile.XHDTYPE, 10 << 30) + ZEROS * 160), "a header of 10,737,418,240 bytes"
    ),
    "a package with a map of holes without an end": Worst(_data(_header(tarfile.GNUTYPE_SPARSE, 0) + ZEROS), "sparse"),
    "a package with a file of 2^60 bytes": Worst(
        _data(_header(tarfile.BLKTYPE, 0) + _header(b"N", 1 << 60)), "is cut short"
    ),
    "a package that goes on for a terabyte after its end": Worst(_data(ZEROS * (1 << 14)), "unpacks to more than"),
    "a published image of a terabyte of zeros": Worst(_image_of_zeros, "the image in it is larger than 10 bytes"),
}
