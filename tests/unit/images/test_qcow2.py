"""qcow2 files, read back by a reader that follows the specification and knows nothing of the writer."""

from __future__ import annotations

import os
import random
import struct
import threading
import zlib
from pathlib import Path

import pytest
import zstandard

from fuel_image.errors import BuildError
from fuel_image.images import qcow2
from fuel_image.progress import Step

CLUSTER = 65536
RANDOM = random.Random(1).randbytes(CLUSTER)
TEXT = (b"the quick brown fox " * 4000)[:CLUSTER]
DISKS = {
    "nothing": [(0, b"")],
    "zeros and what cannot be compressed": [(0, TEXT), (CLUSTER, bytes(CLUSTER)), (2 * CLUSTER, RANDOM)],
    "many": [(number * CLUSTER, TEXT[number:] + RANDOM[: number * 37]) for number in range(60)],
    "holes around": [(CLUSTER * 100, TEXT), (CLUSTER * 200, b"x")],
    "beyond one table": [(700 << 20, TEXT), ((1 << 30) + 5, RANDOM)],
}  # fmt: skip


def made(path: Path, pieces: list[tuple[int, bytes]], size_bytes: int) -> Path:
    with path.open("wb") as file:
        for place, content in pieces:
            file.seek(place)
            file.write(content)
        file.truncate(size_bytes)
    return path


def written(disk: Path, compression: str, threads: int = 2) -> bytes:
    target = disk.with_suffix(".qcow2")
    with target.open("w+b") as file:
        qcow2.write(disk, file, compression=compression, threads=threads, step=Step("x"), stopped=threading.Event())
    return target.read_bytes()


def read(image: bytes) -> dict[int, bytes]:
    """Return the clusters that are stored, by number; each cluster of the file must be counted right."""
    magic, version, backing, _, bits, size, _, entries, l1, counts, tables = struct.unpack_from(">4sIQIIQIIQQI", image)
    (features,) = struct.unpack_from(">Q", image, 72)
    assert (magic, version, backing, bits) == (b"QFI\xfb", 3, 0, 16)
    zstd = bool(features & 8)
    assert image[104] == zstd
    used = {0: 1}
    found = {}

    def count(start: int, end: int) -> None:
        for cluster in range(start // CLUSTER, (end - 1) // CLUSTER + 1):
            used[cluster] = used.get(cluster, 0) + 1

    count(l1, l1 + max(entries * 8, 1))
    for table, entry in enumerate(struct.unpack_from(f">{entries}Q", image, l1)):
        place = entry & 0x00FFFFFFFFFFFE00
        if not place:
            continue
        count(place, place + CLUSTER)
        for number, one in enumerate(struct.unpack_from(">8192Q", image, place)):
            if one & 1 << 62:
                start = one & (1 << 54) - 1
                end = (start // 512 + 1 + (one >> 54 & 0xFF)) * 512
                count(start, end)
                packed = image[start:end]
                content = (
                    zstandard.ZstdDecompressor().decompressobj().decompress(packed)
                    if zstd
                    else zlib.decompressobj(-12).decompress(packed, CLUSTER)
                )
                found[table * 8192 + number] = content
            elif one:
                start = one & 0x00FFFFFFFFFFFE00
                count(start, start + CLUSTER)
                found[table * 8192 + number] = image[start : start + CLUSTER]
    count(counts, counts + tables * CLUSTER)
    blocks = [one for one in struct.unpack_from(f">{tables * 8192}Q", image, counts) if one]
    for block in blocks:
        count(block, block + CLUSTER)
    told = [one for block in blocks for one in struct.unpack_from(">32768H", image, block)]
    assert {cluster: one for cluster, one in enumerate(told) if one} == used
    assert entries * 8192 * CLUSTER >= size
    return found


@pytest.mark.parametrize("compression", ["zlib", "zstd"])
@pytest.mark.parametrize("name", DISKS)
def test_what_is_read_is_what_was_written(name: str, compression: str, tmp_path: Path) -> None:
    end = DISKS[name][-1][0] + len(DISKS[name][-1][1])
    disk = made(tmp_path / "disk", DISKS[name], end + 12345)
    found = read(written(disk, compression))
    with disk.open("rb") as file:
        for number, content in found.items():
            assert content.ljust(CLUSTER, b"\0") == os.pread(file.fileno(), CLUSTER, number * CLUSTER).ljust(
                CLUSTER, b"\0"
            )
        stored = {
            place // CLUSTER for start, piece in DISKS[name] for place in range(start, start + len(piece), CLUSTER)
        }
        for number in stored - found.keys():
            assert not any(os.pread(file.fileno(), CLUSTER, number * CLUSTER)), number


def test_the_same_bytes_with_any_number_of_threads(tmp_path: Path) -> None:
    disk = made(tmp_path / "disk", DISKS["many"], 1 << 24)
    assert written(disk, "zlib", 1) == written(disk, "zlib", 4)


def test_given_up(tmp_path: Path) -> None:
    disk, stopped = made(tmp_path / "disk", DISKS["many"], 1 << 24), threading.Event()
    stopped.set()
    with pytest.raises(BuildError, match="given up because of another error"), (tmp_path / "out").open("w+b") as file:
        qcow2.write(disk, file, compression="zlib", threads=1, step=Step("x"), stopped=stopped)
