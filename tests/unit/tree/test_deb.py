"""The reading of the package format."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile

import pytest
import zstandard

from fuel_image.tree.deb import DebError, data_member


def tar() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        member = tarfile.TarInfo("./etc/motd")
        member.size = 5
        archive.addfile(member, io.BytesIO(b"hello"))
    return buffer.getvalue()


def ar(*members: tuple[str, bytes]) -> io.BytesIO:
    whole = b"!<arch>\n"
    for name, content in members:
        whole += f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(content):<10}`\n".encode() + content
        whole += b"\n" * (len(content) % 2)
    return io.BytesIO(whole)


COMPRESSED = {
    "data.tar": tar(),
    "data.tar.gz": gzip.compress(tar()),
    "data.tar.bz2": bz2.compress(tar()),
    "data.tar.xz": lzma.compress(tar()),
    "data.tar.lzma": lzma.compress(tar(), lzma.FORMAT_ALONE),
    "data.tar.zst": zstandard.compress(tar()),
}


@pytest.mark.parametrize("name", COMPRESSED)
@pytest.mark.parametrize("slash", ["", "/"])
def test_every_compression(name: str, slash: str) -> None:
    deb = ar(("debian-binary", b"2.0\n"), ("control.tar.gz", b"odd"), (name + slash, COMPRESSED[name]))
    with tarfile.open(fileobj=data_member(deb), mode="r|") as archive:
        assert [member.name for member in archive] == ["./etc/motd"]


@pytest.mark.parametrize(
    ("deb", "reason"),
    [
        (io.BytesIO(b"<html>"), "no ar archive"),
        (ar(("debian-binary", b"2.0\n")), "no data.tar"),
        (ar(("data.tar.lz4", b"")), "unknown compression"),
        (io.BytesIO(b"!<arch>\n" + b"x" * 60), "damaged ar header"),
    ],
)
def test_what_is_no_package(deb: io.BytesIO, reason: str) -> None:
    with pytest.raises(DebError, match=reason):
        data_member(deb)
