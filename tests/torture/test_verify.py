"""fuel-image verify finds any flipped byte.

What it promises: whatever byte of an image file is another, missing or too many, and whatever byte of the metadata,
which carry their own digest. Who writes metadata anew with digests that fit is not found: they are not signed.
"""

from __future__ import annotations

import random
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest
import yaml

from fuel_image import record, verify
from fuel_image.commands.published import transport
from fuel_image.metadata import sealed
from fuel_image.record import RecordError
from tests.damage import flipped
from tests.integration.conftest import PROGRAM, Fuel, metadata_of
from tests.unit.test_verify import PACK, image

from .conftest import Tried
from .mirror import Mirror

CONTENT = random.Random(1).randbytes(4096) + bytes(8192) + b"an image of the node " * 400
OF_ALL = 1000
"""How many bytes of a file are flipped with every change; make torture flips all."""


@pytest.fixture(params=PACK)
def container(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def metadata(tmp_path: Path, container: str) -> Path:
    """A published set of two images."""
    return published(tmp_path, container)


def published(directory: Path, container: str) -> Path:
    images = []
    for name, content in (("node", CONTENT), ("boot", CONTENT[::-1])):
        packed = PACK[container](content)
        (directory / f"{name}.img").write_bytes(packed)
        images.append(image(f"{name}.img", container, packed, content))
    whole: dict[str, Any] = {"os": {"name": "Ubuntu", "major": 24, "minor": 4}, "packages": ["acl"], "repos": []}
    whole |= {"images": images, "fuel_image_version": "1.0.0"}
    whole["installed"] = [{"name": "acl", "version": "2.3.2-1build1", "arch": "amd64"}]
    (directory / "node.yaml").write_text(sealed(yaml.safe_dump(whole, sort_keys=False)))
    return directory / "node.yaml"


def whole(metadata: Path) -> bool:
    """Tell whether nothing is found; a record that is refused is a find."""
    way = transport()
    try:
        return not any(one.problems for one in verify.verify(record.fetched(str(metadata), way), str(metadata), way))
    except RecordError:
        return False


def places(length: int) -> Iterator[int]:
    """Give the places to flip: all around the ends, where headers and trailers are, and evenly between."""
    ends = 40
    yield from range(min(ends, length))
    yield from range(ends, max(ends, length - ends), max(1, length // OF_ALL))
    yield from range(max(ends, length - ends), length)


def never_whole(metadata: Path, path: Path, where: Iterator[int]) -> int:
    """Flip a bit of each of some bytes of *path*, one after another; return how many."""
    content = path.read_bytes()
    unfound, count = [], 0
    for place in where:
        path.write_bytes(flipped(content, place, 1 << place % 8))
        unfound += [place] * whole(metadata)
        count += 1
    path.write_bytes(content)
    assert unfound == []
    assert whole(metadata)
    return count


def test_a_flipped_byte(metadata: Path, tried: Tried) -> None:
    """A flipped bit in an image file is found: in each container, in header, middle and trailer."""
    path = metadata.parent / "node.img"
    tried(never_whole(metadata, path, places(path.stat().st_size)))


@pytest.mark.thorough
def test_every_flipped_byte(metadata: Path, tried: Tried) -> None:
    """Whichever byte of an image file is flipped, it is found."""
    path = metadata.parent / "node.img"
    tried(never_whole(metadata, path, iter(range(path.stat().st_size))))


def test_a_flipped_byte_of_the_metadata(tmp_path: Path, tried: Tried) -> None:
    """Whichever byte of the metadata is flipped, be it in a digest, a size, a name or a version, it is found."""
    metadata = published(tmp_path, "gzip")
    tried(never_whole(metadata, metadata, iter(range(metadata.stat().st_size))))


def test_what_is_cut_off(metadata: Path, tried: Tried) -> None:
    """A file of which any number of bytes is cut off is found."""
    path = metadata.parent / "node.img"
    tried(never_whole_cut(metadata, path, max(1, path.stat().st_size // OF_ALL)))


def test_what_is_cut_off_the_metadata(tmp_path: Path, tried: Tried) -> None:
    """Metadata of which any number of bytes is cut off are found, also where they look like another program's."""
    metadata = published(tmp_path, "gzip")
    tried(never_whole_cut(metadata, metadata, 1))


def never_whole_cut(metadata: Path, path: Path, step: int) -> int:
    content = path.read_bytes()
    lengths = range(0, len(content), step)
    unfound = []
    for length in lengths:
        path.write_bytes(content[:length])
        unfound += [length] * whole(metadata)
    assert unfound == []
    return len(lengths)


@pytest.mark.parametrize("more", [b"\0", b"\n", b" ", b"#", b"\x1f\x8b", b"\0" * 512], ids=repr)
def test_what_is_added(metadata: Path, more: bytes, tried: Tried) -> None:
    """A file, or metadata, with a byte too many is found."""
    for path in (metadata.parent / "boot.img", metadata):
        content = path.read_bytes()
        for longer in (content + more, more + content):
            path.write_bytes(longer)
            assert not whole(metadata)
        path.write_bytes(content)
    tried(4)


def exchange(directory: Path) -> None:
    (directory / "node.img").rename(directory / "new")
    (directory / "boot.img").rename(directory / "node.img")
    (directory / "new").rename(directory / "boot.img")


def replace_by_directory(directory: Path) -> None:
    (directory / "node.img").unlink()
    (directory / "node.img").mkdir()


OTHERS: dict[str, Callable[[Path], object]] = {
    "swapped": exchange,
    "missing": lambda directory: (directory / "node.img").unlink(),
    "empty": lambda directory: (directory / "boot.img").write_bytes(b""),
    "a directory": replace_by_directory,
    "no metadata": lambda directory: (directory / "node.yaml").unlink(),
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_files(metadata: Path, name: str) -> None:
    """Images that are swapped, missing, empty or no files are found."""
    OTHERS[name](metadata.parent)
    assert not whole(metadata)


def test_another_container(metadata: Path, container: str, tried: Tried) -> None:
    """An image that is packed anew, with the same content, is found."""
    path = metadata.parent / "node.img"
    others = [name for name in PACK if name != container]
    for name in others:
        path.write_bytes(PACK[name](CONTENT))
        assert not whole(metadata), name
    tried(len(others))


def test_a_set_that_was_built(fuel: Fuel, mirror: Mirror, tmp_path: Path, tried: Tried) -> None:
    """The program itself finds a flip in a set that it has built, names the file and ends with exit code 1."""
    request = mirror.request(tmp_path / "output")
    request["image_data"]["/boot"] = {"uri": "http://127.0.0.1/boot.img.xz", "format": "ext2", "container": "xz"}
    fuel(request)
    metadata = metadata_of(request)
    assert said_of(metadata) == (0, "")
    count = 0
    for path in sorted((tmp_path / "output").iterdir()):
        content = path.read_bytes()
        for place in (3, len(content) // 2, len(content) - 6):
            path.write_bytes(flipped(content, place, 0x10))
            code, said = said_of(metadata)
            assert (code, path.name in said) == (1, True), (path, place, said)
            count += 1
        path.write_bytes(content)
    assert said_of(metadata) == (0, "")
    tried(count)


def said_of(metadata: Path) -> tuple[int, str]:
    """Return the exit code of the program, and what it says is not as recorded."""
    ended = subprocess.run([*PROGRAM, "verify", metadata], check=False, capture_output=True, text=True)
    said = [*ended.stdout.splitlines(), *(line for line in ended.stderr.splitlines() if "Verifying" not in line)]
    return ended.returncode, "\n".join(line for line in said if ": as recorded (" not in line)
