"""The qcow2 files that we write, looked at by QEMU's own tool."""

from __future__ import annotations

import json
import random
import threading
from pathlib import Path

import pytest

from fuel_image.images import qcow2
from fuel_image.progress import Step

from .images import output_of

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
GENERATOR = random.Random(1)


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A disk of 3 GiB and 1,000 bytes: a file system of real files, and what compresses in no or any measure."""
    path = tmp_path_factory.mktemp("disk") / "disk"
    path.touch()
    output_of("mke2fs", "-q", "-t", "ext4", "-d", Path(qcow2.__file__).parents[2] / "fuel_image", path, "64M")
    mixed = b"".join(GENERATOR.randbytes(share) + bytes(64 * KIB - share) for share in range(0, 64 * KIB, 97))
    with path.open("r+b") as file:
        for place, content in (
            (GIB - 32 * MIB, mixed),
            (2 * GIB, GENERATOR.randbytes(8 * MIB)),
            (3 * GIB, b"x" * 1000),
        ):
            file.seek(place)
            file.write(content)
    return path


def written(disk: Path, target: Path, compression: str, threads: int) -> Path:
    with target.open("w+b") as file:
        qcow2.write(disk, file, compression=compression, threads=threads, step=Step("x"), stopped=threading.Event())
    return target


@pytest.mark.parametrize("compression", ["zlib", "zstd"])
def test_qemu_finds_the_disk_whole(compression: str, disk: Path, tmp_path: Path) -> None:
    image = written(disk, tmp_path / "image", compression, 2)
    checked = json.loads(output_of("qemu-img", "check", "--output=json", "-f", "qcow2", image))
    assert checked["check-errors"] == 0
    assert not {"leaks", "corruptions"} & checked.keys()
    assert checked["allocated-clusters"] > checked["compressed-clusters"] > 0
    output_of("qemu-img", "compare", "-f", "raw", "-F", "qcow2", disk, image)
    told = json.loads(output_of("qemu-img", "info", "--output=json", image))
    assert (told["format"], told["virtual-size"], told["cluster-size"]) == ("qcow2", 3 * GIB + 1024, 64 * KIB)
    data = told["format-specific"]["data"]
    assert (data["compat"], data["compression-type"], data["refcount-bits"]) == ("1.1", compression, 16)
    assert "backing-filename" not in told


@pytest.mark.parametrize("compression", ["zlib", "zstd"])
def test_threads_change_no_byte(compression: str, disk: Path, tmp_path: Path) -> None:
    one, two = (written(disk, tmp_path / str(threads), compression, threads) for threads in (1, 2))
    assert one.read_bytes() == two.read_bytes()


def test_qemu_writes_to_it(disk: Path, tmp_path: Path) -> None:
    """A node or a hypervisor starts from the file itself: what it writes over must not break what is beside it."""
    image = written(disk, tmp_path / "image", "zlib", 2)
    expected = tmp_path / "expected"
    output_of("cp", "--sparse=always", disk, expected)
    for command in ("write -P 7 1g 1M", "write -P 8 40k 100k", "write -P 9 2100M 64k"):
        output_of("qemu-io", "-f", "qcow2", "-c", command, image)
        output_of("qemu-io", "-f", "raw", "-c", command, expected)
    output_of("qemu-img", "check", "-f", "qcow2", image)
    output_of("qemu-img", "compare", "-f", "raw", "-F", "qcow2", expected, image)
