"""Which index of a repository is read, and how."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import lzma
from collections.abc import Mapping
from pathlib import Path

import pytest

from fuel_image.archive import release
from fuel_image.archive.fetch import Fetcher
from fuel_image.archive.opening import open_all
from fuel_image.archive.pool import Pool
from fuel_image.archive.repositories import Repositories
from fuel_image.archive.seen import Seen
from fuel_image.archive.trust import Answer, Inquiry
from fuel_image.errors import ReleaseError
from fuel_image.progress import Step
from fuel_image.request import Repository
from tests.damage import flipped

from .conftest import stanza

CONTENTS = {ending: stanza("a", version).encode() for ending, version in ((".gz", "1"), (".xz", "2"), (".bz2", "3"))}
COMPRESSED = {
    ".gz": gzip.compress(CONTENTS[".gz"]),
    ".xz": lzma.compress(CONTENTS[".xz"]),
    ".bz2": bz2.compress(CONTENTS[".bz2"]),
    "": stanza("a", "4").encode(),
}


def inquiry(place: Path, pool: str) -> Inquiry:
    return Inquiry(Fetcher(Pool(place / pool)), place, Seen(place / "seen"))


def opened(place: Path, files: Mapping[str, bytes]) -> Repositories:
    """Open a repository whose Release names these files; which version *a* has tells which was read."""
    directory = place / "dists/noble/main/binary-amd64"
    directory.mkdir(parents=True)
    lines = []
    for ending, content in files.items():
        (directory / f"Packages{ending}").write_bytes(content)
        lines.append(f" {hashlib.sha256(content).hexdigest()} {len(content)} main/binary-amd64/Packages{ending}\n")
    parsed = release.parse("Architectures: amd64\nSHA256:\n" + "".join(lines), "r")
    repository = Repository("r", (place.as_uri(),), "noble", ("main",))
    return open_all([Answer(repository, parsed)], "amd64", inquiry(place, "pool"), Step("opening"))


@pytest.mark.parametrize(
    ("endings", "read"),
    [
        ((".xz", ".gz"), "1"),
        (("", ".bz2", ".xz", ".gz"), "1"),
        ((".bz2", ".xz", ""), "2"),
        (("", ".bz2"), "3"),
        (("",), "4"),
    ],
)
def test_gzip_is_preferred_and_each_kind_is_read(endings: tuple[str, ...], read: str, tmp_path: Path) -> None:
    candidate = opened(tmp_path, {ending: COMPRESSED[ending] for ending in endings}).candidate("a")
    assert candidate is not None and candidate.version == read
    fetched = [path for path in (tmp_path / "pool").rglob("*") if path.is_file()]
    assert len(fetched) == 1


def test_an_index_of_several_members_and_with_line_breaks_of_another_system(tmp_path: Path) -> None:
    members = [gzip.compress(stanza(name).replace("\n", "\r\n").encode() + b"\r\n") for name in ("a", "b")]
    repositories = opened(tmp_path, {".gz": b"".join(members)})
    assert [repositories.candidate(name) is not None for name in ("a", "b")] == [True, True]


def test_a_release_without_the_index(tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match="its Release names no main/binary-amd64/Packages"):
        opened(tmp_path, {".zst": b""})


def damages(content: bytes) -> list[bytes]:
    every = [flipped(content, place) for place in range(len(content))]
    return [*every, content[:-1], content[: len(content) // 2], b"<html>"]


def test_a_damaged_index_without_a_release_is_one_that_is_named(tmp_path: Path) -> None:
    """Nobody knows the digest of such an index: the decompressor is the first to see it."""
    repository = Repository("plugin", (tmp_path.as_uri(),), "/", ())
    named = 0
    for number, damaged in enumerate(damages(COMPRESSED[".gz"])):
        (tmp_path / "Packages.gz").write_bytes(damaged)
        try:
            open_all([Answer(repository, None)], "amd64", inquiry(tmp_path, f"pool-{number}"), Step("opening"))
        except ReleaseError as error:
            assert "Packages.gz" in str(error)
            named += 1
    assert named > 50
