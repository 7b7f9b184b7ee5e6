"""The reading of the package format."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile

import pytest
import zstandard

from fuel_image.tree.deb import UNREADABLE, DebError, control_files, data_member, members, opened
from tests.debs import ar, long_names, member, tar


def package(*members: tuple[str, bytes]) -> io.BytesIO:
    return io.BytesIO(ar(*members))


DATA = tar([member("./etc/motd", b"hello")])
COMPRESSED = {
    "data.tar": DATA,
    "data.tar.gz": gzip.compress(DATA),
    "data.tar.bz2": bz2.compress(DATA),
    "data.tar.xz": lzma.compress(DATA),
    "data.tar.lzma": lzma.compress(DATA, lzma.FORMAT_ALONE),
    "data.tar.zst": zstandard.compress(DATA),
}


@pytest.mark.parametrize("name", COMPRESSED)
@pytest.mark.parametrize("slash", ["", "/"])
def test_every_compression(name: str, slash: str) -> None:
    deb = package(("debian-binary", b"2.0\n"), ("control.tar.gz", b"odd"), (name + slash, COMPRESSED[name]))
    with tarfile.open(fileobj=data_member(deb), mode="r|") as archive:
        assert [member.name for member in archive] == ["./etc/motd"]


@pytest.mark.parametrize(
    ("deb", "reason"),
    [
        (io.BytesIO(b"<html>"), "no ar archive"),
        (package(("debian-binary", b"2.0\n")), "no data.tar"),
        (package(("data.tar.lz4", b"")), "unknown compression"),
        (io.BytesIO(b"!<arch>\n" + b"x" * 60), "damaged ar header"),
    ],
)
def test_what_is_no_package(deb: io.BytesIO, reason: str) -> None:
    with pytest.raises(DebError, match=reason):
        data_member(deb)


def names_in(deb: io.BytesIO) -> list[str]:
    with opened(data_member(deb)) as archive:
        return [member.name for member in members(archive)]


@pytest.mark.parametrize("name", COMPRESSED)
def test_a_file_that_is_cut_short_is_not_read_as_a_shorter_one(name: str) -> None:
    deb = package(("debian-binary", b"2.0\n"), (name, COMPRESSED[name]))
    assert names_in(deb) == ["./etc/motd"]
    deb.truncate(len(deb.getvalue()) - 20)
    with pytest.raises(DebError, match="cut short"):
        names_in(deb)


@pytest.mark.parametrize("name", ["data.tar.gz", "data.tar.bz2", "data.tar.xz"])
def test_a_check_sum_at_the_end_counts(name: str) -> None:
    damaged = bytearray(COMPRESSED[name])
    damaged[-8 if name.endswith("gz") else -3] ^= 1
    with pytest.raises(UNREADABLE):
        names_in(package((name, bytes(damaged))))


@pytest.mark.parametrize("rest", [b"x" * 512, b"x" * 100], ids=["garbage", "half a header"])
def test_a_header_that_cannot_be_read_is_not_the_end(rest: bytes) -> None:
    with pytest.raises(tarfile.ReadError):
        names_in(package(("data.tar", DATA[:1024] + rest)))


def test_an_archive_of_nothing() -> None:
    assert names_in(package(("data.tar", tar([])))) == []


def test_control_files() -> None:
    files = [member("./control", b"x\n", mtime=7), member("./postinst", b"x\n", mtime=7, mode=0o100755)]
    found = control_files(package(("control.tar", tar(files))))
    assert {name: (file.mode, file.mtime, file.content) for name, file in found.items()} == {
        "control": (0o644, 7, b"x\n"),
        "postinst": (0o755, 7, b"x\n"),
    }
    with pytest.raises(DebError, match="no control file"):
        control_files(package(("control.tar", DATA)))


@pytest.mark.parametrize("mtime", ["nan", "inf", "-inf"])
def test_a_time_that_is_none_makes_a_package_unreadable(mtime: str) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        member = tarfile.TarInfo("./control")
        member.pax_headers = {"mtime": mtime}
        archive.addfile(member)
    with pytest.raises(UNREADABLE):
        control_files(package(("control.tar", buffer.getvalue())))


def test_names_without_end_make_a_package_unreadable() -> None:
    with pytest.raises(UNREADABLE):
        names_in(package(("data.tar", long_names(2000))))
