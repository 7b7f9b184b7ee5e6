"""Packages made by hand, among them what dpkg-deb would refuse to make."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Callable

import zstandard

MTIME = 1_500_000_000
COMPRESS: Mapping[str, Callable[[bytes], bytes]] = {
    "": lambda content: content,
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": zstandard.ZstdCompressor(write_checksum=True).compress,
}


def member(name: str, content: bytes = b"", **attributes: Any) -> tuple[tarfile.TarInfo, bytes]:
    """Return a member of data.tar; one whose name ends with a slash is a directory."""
    info = tarfile.TarInfo(name.rstrip("/"))
    info.size, info.mtime, info.mode = len(content), MTIME, 0o644
    info.uname = info.gname = "root"
    if name.endswith("/"):
        info.type, info.mode = tarfile.DIRTYPE, 0o755
    for key, value in attributes.items():
        setattr(info, key, value)
    return info, content


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE, **attributes: Any) -> tuple[tarfile.TarInfo, bytes]:
    return member(
        name, type=kind, linkname=target, **{"mode": 0o777 if kind == tarfile.SYMTYPE else 0o644, **attributes}
    )


def tar(members: Sequence[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for info, content in members:
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def ar(*members: tuple[str, bytes]) -> bytes:
    whole = b"!<arch>\n"
    for name, content in members:
        whole += f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(content):<10}`\n".encode() + content
        whole += b"\n" * (len(content) % 2)
    return whole


def long_names(count: int) -> bytes:
    """Return a tar of a file with a long name, of which there are *count*, one after the other."""
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 2
    return (info.tobuf(tarfile.GNU_FORMAT) + b"x".ljust(512, b"\0")) * count + tar([member("./file")])


class Debs:
    """The packages in a directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def make(
        self,
        name: str,
        *members: tuple[tarfile.TarInfo, bytes],
        fields: str = "",
        ending: str = ".xz",
        data: bytes | None = None,
        control: str | None = None,
        **files: str,
    ) -> Path:
        """Make a package; *files* are control files, *fields* more of its stanza, *data* is a whole data.tar."""
        if control is None:
            architecture = "" if "Architecture:" in fields else "Architecture: all\n"
            control = f"Package: {name}\nVersion: 1:2.0-1\n{architecture}Maintainer: A Test <test@example.org>\n"
            control += f"{fields}Description: a test\n of unpacking\n .\n Package: none\n"
        scripts = ("preinst", "postinst", "prerm", "postrm")
        texts = {"control": control, **files}
        controls = [
            member(f"./{key}", text.encode("utf-8", "surrogateescape"), mode=0o755 if key in scripts else 0o644)
            for key, text in texts.items()
        ]
        compress = COMPRESS[ending]
        ending_of_control = ".gz" if ending == ".bz2" else ending  # dpkg takes it for the data only
        archive = ar(
            ("debian-binary", b"2.0\n"),
            (f"control.tar{ending_of_control}", COMPRESS[ending_of_control](tar([member("./"), *controls]))),
            (f"data.tar{ending}", compress(tar([member("./"), *members]) if data is None else data)),
        )
        path = self._directory / f"{name.replace('/', '_')}.deb"
        path.write_bytes(archive)
        return path
