"""qcow2, written in one go.

Owns the form of the file (QEMU's docs/interop/qcow2.txt): standalone, its clusters compressed, by as many threads as
there are CPUs, with ISA-L where qemu-img takes zlib, several times as fast. The same disk gives the same bytes. It must
not know what is on the disk.
"""

from __future__ import annotations

import os
import struct
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Callable

import zstandard
from isal import isal_zlib

from fuel_image.errors import BuildError
from fuel_image.images import contents
from fuel_image.progress import Step

CLUSTER_BYTES = 1 << 16
_CLUSTER_BITS = 16
_ENTRIES = CLUSTER_BYTES // 8
"""How many entries a table of one cluster has."""
_REFCOUNTS = CLUSTER_BYTES // 2
_MAGIC, _VERSION, _HEADER_BYTES, _REFCOUNT_ORDER = b"QFI\xfb", 3, 112, 4
_ZSTD_BIT = 1 << 3
"""The incompatible feature that says that the header names another compression than zlib."""
_COMPRESSED, _COPIED = 1 << 62, 1 << 63
_OFFSET_BITS = 62 - (_CLUSTER_BITS - 8)
_SECTOR_BYTES = 512
_WINDOW_BITS = -12
"""Raw deflate with the window of 4 KiB that QEMU inflates with."""
_LEVEL = 1  # ISA-L's levels go from 0 to 3
_ZSTD_LEVEL = 3
_BATCH = 16
"""How many clusters a thread takes at once: a task costs as much as a small cluster."""
_ZEROS = bytes(CLUSTER_BYTES)

_Packed = tuple[int, bytes]
"""The number of a cluster, and what is stored of it: less than a cluster if it is compressed."""


def write(
    disk: Path, target: BinaryIO, *, compression: str, threads: int, step: Step, stopped: threading.Event
) -> None:
    """Write the raw *disk* as a qcow2 to *target*, an empty file; *compression* is zlib or zstd.

    Soon after *stopped* is set BuildError is raised.
    """
    size_bytes = disk.stat().st_size
    clusters = -(-size_bytes // CLUSTER_BYTES)
    entries: dict[int, int] = {}
    place = CLUSTER_BYTES  # behind the header
    target.seek(place)
    for number, packed in _packed(disk, clusters, compression, threads):
        if stopped.is_set():
            raise BuildError(f"writing {disk.stem}: given up because of another error")
        if len(packed) == CLUSTER_BYTES:
            place = _aligned(place)
            target.seek(place)
            entries[number] = place | _COPIED
        else:
            last = (place + len(packed) - 1) // _SECTOR_BYTES - place // _SECTOR_BYTES
            entries[number] = place | last << _OFFSET_BITS | _COMPRESSED
        target.write(packed)
        place += len(packed)
        step.advance(CLUSTER_BYTES)
    _finish(target, size_bytes, clusters, entries, _aligned(place), compression)


def _aligned(place: int) -> int:
    return -(-place // CLUSTER_BYTES) * CLUSTER_BYTES


def _packed(disk: Path, clusters: int, compression: str, threads: int) -> Iterator[_Packed]:
    """Give the clusters that hold anything, compressed, in their order."""
    pack = _zlib if compression == "zlib" else _zstd
    waiting: list[Future[list[_Packed]]] = []
    with disk.open("rb", buffering=0) as file, ThreadPoolExecutor(threads) as workers:
        numbers = _with_data(file.fileno(), clusters)
        while batch := list(islice(numbers, _BATCH)):
            waiting.append(workers.submit(_pack, file.fileno(), batch, pack))
            if len(waiting) > 2 * threads:
                yield from waiting.pop(0).result()
        for future in waiting:
            yield from future.result()


def _with_data(descriptor: int, clusters: int) -> Iterator[int]:
    """Give the numbers of the clusters that do not lie in a hole."""
    end, number = os.fstat(descriptor).st_size, 0
    while number < clusters:
        start = contents.next_data(descriptor, number * CLUSTER_BYTES, end)
        if start >= end:
            return
        number = start // CLUSTER_BYTES
        hole = os.lseek(descriptor, start, os.SEEK_HOLE)
        while number * CLUSTER_BYTES < hole:
            yield number
            number += 1


def _pack(descriptor: int, numbers: list[int], pack: Callable[[bytes], bytes]) -> list[_Packed]:
    found = []
    for number in numbers:
        content = os.pread(descriptor, CLUSTER_BYTES, number * CLUSTER_BYTES).ljust(CLUSTER_BYTES, b"\0")
        if content != _ZEROS:
            packed = pack(content)
            found.append((number, packed if len(packed) < CLUSTER_BYTES else content))
    return found


def _zlib(content: bytes) -> bytes:
    packer = isal_zlib.compressobj(_LEVEL, isal_zlib.DEFLATED, _WINDOW_BITS)
    return packer.compress(content) + packer.flush()


def _zstd(content: bytes) -> bytes:
    return zstandard.ZstdCompressor(level=_ZSTD_LEVEL).compress(content)


def _finish(
    target: BinaryIO, size_bytes: int, clusters: int, entries: dict[int, int], place: int, compression: str
) -> None:
    """Write the tables behind the data, from *place* on, and the header, which finds them."""
    tables = -(-clusters // _ENTRIES)
    second = {number // _ENTRIES: 0 for number in entries}
    target.seek(place)
    for table in sorted(second):
        second[table] = place | _COPIED
        first = table * _ENTRIES
        target.write(struct.pack(f">{_ENTRIES}Q", *(entries.get(first + one, 0) for one in range(_ENTRIES))))
        place += CLUSTER_BYTES
    l1_place = place
    target.write(_cluster(struct.pack(f">{tables}Q", *(second.get(one, 0) for one in range(tables)))))
    place = _aligned(place + tables * 8)
    counts, refcount_table_place, table_clusters = _refcounts(entries, second, l1_place, place)
    target.seek(place)
    target.write(counts)
    header = struct.pack(
        ">4sIQIIQIIQQIIQQQQII",
        *(_MAGIC, _VERSION, 0, 0, _CLUSTER_BITS, size_bytes, 0, tables, l1_place, refcount_table_place, table_clusters),
        *(0, 0, 0 if compression == "zlib" else _ZSTD_BIT, 0, 0, _REFCOUNT_ORDER, _HEADER_BYTES),
    )
    header += bytes([0 if compression == "zlib" else 1]) + bytes(7)
    target.seek(0)
    target.write(_cluster(header))
    target.flush()


def _cluster(content: bytes) -> bytes:
    return content.ljust(_aligned(len(content)), b"\0")


def _refcounts(entries: dict[int, int], second: dict[int, int], l1_place: int, place: int) -> tuple[bytes, int, int]:
    """Return the refcount blocks and their table, which lie from *place* on; where the table is; its clusters."""
    used = place // CLUSTER_BYTES
    blocks = table = 1
    while True:  # they count themselves
        total = used + blocks + table
        needed = -(-total // _REFCOUNTS)
        if needed == blocks and -(-blocks // _ENTRIES) == table:
            break
        blocks, table = needed, -(-needed // _ENTRIES)
    counts = [0] * (blocks * _REFCOUNTS)
    for entry in entries.values():
        start = entry & ((1 << _OFFSET_BITS) - 1) if entry & _COMPRESSED else entry & ~_COPIED
        sectors = 1 + (entry >> _OFFSET_BITS & ((1 << (_CLUSTER_BITS - 8)) - 1)) if entry & _COMPRESSED else 1
        end = (start // _SECTOR_BYTES + sectors) * _SECTOR_BYTES - 1 if entry & _COMPRESSED else start
        for cluster in range(start // CLUSTER_BYTES, end // CLUSTER_BYTES + 1):
            counts[cluster] += 1
    own = [0, *(one & ~_COPIED for one in second.values()), *range(l1_place, place, CLUSTER_BYTES)]
    own += range(place, place + (blocks + table) * CLUSTER_BYTES, CLUSTER_BYTES)
    for start in own:
        counts[start // CLUSTER_BYTES] += 1
    places = [place + number * CLUSTER_BYTES for number in range(blocks)]
    written = struct.pack(f">{len(counts)}H", *counts) + _cluster(struct.pack(f">{blocks}Q", *places))
    return written, place + blocks * CLUSTER_BYTES, table
