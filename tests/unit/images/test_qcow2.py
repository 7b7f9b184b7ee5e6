"""qcow2 files, read back by a reader that follows the specification and knows nothing of the writer."""

from __future__ import annotations

import os
import random
import struct
import threading
import zlib
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import pytest
import zstandard

from fuel_image.errors import BuildError
from fuel_image.images import qcow2
from fuel_image.progress import Step

KIB, MIB = 1 << 10, 1 << 20
CLUSTER, SECTOR = 64 * KIB, 512
ENTRIES, COUNTS = CLUSTER // 8, CLUSTER // 2
OFFSET = 0x00FFFFFFFFFFFE00
COPIED, COMPRESSED = 1 << 63, 1 << 62
RANDOM = random.Random(1).randbytes(CLUSTER)
TEXT = b"".join(b"the quick brown fox number %d\n" % number for number in range(3000))[:CLUSTER]


class Case(NamedTuple):
    """A disk of *size* bytes with *pieces* at their places, else a hole; which clusters are stored, and how."""

    size: int
    pieces: dict[int, bytes]
    packed: set[int]
    plain: set[int]


CASES = {
    "a hole": Case(4 * MIB, {}, set(), set()),
    "zeros that are data": Case(4 * CLUSTER, {0: bytes(4 * CLUSTER)}, set(), set()),
    "one kind beside the other": Case(
        *(4 * CLUSTER, {0: TEXT + bytes(CLUSTER) + RANDOM + TEXT}, {0, 3}, {2}),
    ),
    "holes at both ends": Case(40 * MIB, {10 * MIB: TEXT, 20 * MIB + 5: b"x"}, {160, 320}, set()),
    "a partial cluster at the end": Case(CLUSTER + 5 * SECTOR, {CLUSTER: RANDOM[: 5 * SECTOR]}, {1}, set()),
    "a partial sector at the end": Case(CLUSTER + 700, {CLUSTER: TEXT[:700]}, {1}, set()),
    "more than a table covers": Case(
        *(1300 * MIB, {511 * MIB: TEXT, 512 * MIB: RANDOM, 1299 * MIB: TEXT}, {511 * 16, 1299 * 16}, {512 * 16}),
    ),
    "of all sizes": Case(
        *(60 * CLUSTER, {n * CLUSTER: TEXT[n * 900 :] + RANDOM[: n * 900] for n in range(60)}, set(range(60)), set()),
    ),
}  # fmt: skip


def made(path: Path, case: Case) -> Path:
    with path.open("wb") as file:
        for place, content in case.pieces.items():
            file.seek(place)
            file.write(content)
        file.truncate(case.size)
    return path


def written(disk: Path, compression: str, threads: int = 2) -> tuple[bytes, Step]:
    step, target = Step("x"), disk.with_suffix(".qcow2")
    with target.open("w+b") as file:
        qcow2.write(disk, file, compression=compression, threads=threads, step=step, stopped=threading.Event())
    return target.read_bytes(), step


class Reader:
    """What is in a qcow2: its clusters by number, *packed* and *plain*, and how often each of the file is *used*."""

    def __init__(self, image: bytes) -> None:
        self._image = image
        fields = struct.unpack_from(">4sIQIIQIIQQIIQQQQII", image)
        magic, version, backing, _, bits, self.size, crypt, entries, top, table, table_clusters, snapshots = fields[:12]
        self.features, compatible, clearing, order, header = fields[13:]
        assert (magic, version, backing, bits, crypt, snapshots) == (b"QFI\xfb", 3, 0, 16, 0, 0)
        assert (compatible, clearing, order, header) == (0, 0, 4, 112)
        self.type = image[104]
        assert image[105:120] == bytes(15)  # the header's rest, and that no extension follows
        self.used = Counter({0: 1})
        self.packed: dict[int, bytes] = {}
        self.plain: dict[int, bytes] = {}
        self._use(top, entries * 8)
        for number, entry in enumerate(struct.unpack_from(f">{entries}Q", image, top)):
            if entry:
                self._read_table(number, self._own(entry))
        self.told = Counter(self._counts(table, table_clusters))
        self.covered = entries * ENTRIES * CLUSTER

    def _use(self, place: int, size: int) -> None:
        self.used.update(range(place // CLUSTER, (place + size - 1) // CLUSTER + 1))

    def _own(self, entry: int) -> int:
        """Return the place of a cluster that nothing else uses."""
        assert entry & ~OFFSET == COPIED and entry & OFFSET and entry % CLUSTER == 0
        self._use(entry & OFFSET, CLUSTER)
        return entry & OFFSET

    def _read_table(self, table: int, place: int) -> None:
        for index, entry in enumerate(struct.unpack_from(f">{ENTRIES}Q", self._image, place)):
            number = table * ENTRIES + index
            if entry & COMPRESSED:
                assert not entry & COPIED
                start, more = entry & (1 << 54) - 1, entry >> 54 & 0xFF
                end = (start // SECTOR + 1 + more) * SECTOR
                self._use(start, end - start)
                self.packed[number] = self._unpacked(self._image[start:end])
            elif entry:
                start = self._own(entry)
                self.plain[number] = self._image[start : start + CLUSTER]

    def _unpacked(self, packed: bytes) -> bytes:
        if self.type == 1:
            return zstandard.ZstdDecompressor().decompressobj().decompress(packed)
        return b"".join(inflated(packed))

    def _counts(self, table: int, clusters: int) -> dict[int, int]:
        self._use(table, clusters * CLUSTER)
        told = {}
        for number, block in enumerate(struct.unpack_from(f">{clusters * ENTRIES}Q", self._image, table)):
            if block:
                self._use(block, CLUSTER)
                counts = struct.unpack_from(f">{COUNTS}H", self._image, block)
                told.update({number * COUNTS + index: one for index, one in enumerate(counts) if one})
        return told


def inflated(packed: bytes) -> list[bytes]:
    """Inflate with a window of 4 KiB, little by little: else zlib takes what it has given for the window."""
    inflater, found = zlib.decompressobj(-12), []
    while not inflater.eof:
        found.append(inflater.decompress(packed, 64))
        assert found[-1] or inflater.eof, "it is cut short"
        packed = inflater.unconsumed_tail
    return found


@pytest.mark.parametrize("compression", ["zlib", "zstd"])
@pytest.mark.parametrize("name", CASES)
def test_what_is_read_is_what_was_written(name: str, compression: str, tmp_path: Path) -> None:
    case = CASES[name]
    disk = made(tmp_path / "disk", case)
    image, step = written(disk, compression)
    found = Reader(image)

    assert (found.type, found.features) == ((1, 8) if compression == "zstd" else (0, 0))
    assert found.size == -(-case.size // SECTOR) * SECTOR
    assert found.covered >= found.size
    assert (set(found.packed), set(found.plain)) == (case.packed, case.plain)
    with disk.open("rb") as file:
        for number, content in {**found.packed, **found.plain}.items():
            assert content == os.pread(file.fileno(), CLUSTER, number * CLUSTER).ljust(CLUSTER, b"\0"), number
    assert found.told == found.used
    assert len(image) == CLUSTER * (max(found.used) + 1)
    assert step.done_bytes == case.size


@pytest.mark.parametrize("threads", [2, 3])
def test_the_same_bytes_with_any_number_of_threads(threads: int, tmp_path: Path) -> None:
    disk = made(tmp_path / "disk", CASES["of all sizes"])
    assert written(disk, "zlib", threads)[0] == written(disk, "zlib", 1)[0]


def test_the_same_bytes_wherever_the_holes_are(tmp_path: Path) -> None:
    content = bytes(2 * MIB) + TEXT + bytes(3 * MIB) + RANDOM
    sparse = Case(len(content), {2 * MIB: TEXT, 5 * MIB + CLUSTER: RANDOM}, set(), set())
    full = Case(len(content), {0: content}, set(), set())
    assert written(made(tmp_path / "sparse", sparse), "zlib")[0] == written(made(tmp_path / "full", full), "zlib")[0]


def test_holes_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk, read = made(tmp_path / "disk", CASES["more than a table covers"]), []
    real = os.pread

    def noted(descriptor: int, count: int, place: int) -> bytes:
        read.append(count)
        return real(descriptor, count, place)

    monkeypatch.setattr(os, "pread", noted)
    written(disk, "zlib")
    assert sum(read) <= 3 * MIB


def test_a_short_read_is_gone_on_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = made(tmp_path / "disk", CASES["one kind beside the other"])
    whole, real = written(disk, "zlib")[0], os.pread
    monkeypatch.setattr(os, "pread", lambda descriptor, count, place: real(descriptor, min(count, 10_000), place))
    assert written(disk, "zlib")[0] == whole


def test_given_up(tmp_path: Path) -> None:
    disk, stopped = made(tmp_path / "disk", CASES["of all sizes"]), threading.Event()
    stopped.set()
    with pytest.raises(BuildError, match="given up because of another error"), (tmp_path / "out").open("w+b") as file:
        qcow2.write(disk, file, compression="zlib", threads=1, step=Step("x"), stopped=stopped)
