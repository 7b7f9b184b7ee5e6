"""``fuel-image boot`` tells a machine that is well from one that is not."""

from __future__ import annotations

import hashlib
import json
import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

from tests.integration.conftest import Fuel, Request, metadata_of
from tests.integration.images import ImageSet

pytestmark = pytest.mark.boot

TIMEOUT_SECONDS = 1200


def booted(metadata: Path, work: Path, *options: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "fuel_image", "boot", str(metadata), "--work-dir", str(work), *options]
    argv += ["--timeout", str(TIMEOUT_SECONDS)]
    return subprocess.run(argv, check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True)


def digests(directory: Path) -> dict[str, str]:
    return {one.name: hashlib.sha256(one.read_bytes()).hexdigest() for one in directory.iterdir() if one.is_file()}


def pixels(png: Path) -> bytes:
    """Return what is in the lines of a picture, as far as it takes to tell whether all is black."""
    content = png.read_bytes()
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    place, packed = 8, b""
    while place < len(content):
        size, kind = struct.unpack_from(">I4s", content, place)
        body = content[place + 8 : place + 8 + size]
        assert zlib.crc32(kind + body) == struct.unpack_from(">I", content, place + 8 + size)[0]
        packed += body if kind == b"IDAT" else b""
        place += 12 + size
    return zlib.decompress(packed)


def asked(noble: ImageSet, output: Path) -> Request:
    """Return the request of a set whose cloud-init need not fetch anything: it installs locales where they lack."""
    request: Request = json.loads((noble.path.parent.parent / "noble.json").read_text())
    return {**request, "output": str(output), "packages": [*request["packages"], "locales"]}


def test_a_set_that_is_well(noble: ImageSet, fuel: Fuel, tmp_path: Path) -> None:
    request = asked(noble, tmp_path / "output")
    fuel(request)
    metadata = metadata_of(request)
    before, picture = digests(metadata.parent), tmp_path / "x.png"
    done = booted(metadata, tmp_path / "work", "--check", "--screenshot", str(picture))
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr
    assert " login: " in done.stdout
    assert set(pixels(picture)) - set(range(5)), "all is black: what is left are the filters of the lines"
    assert digests(metadata.parent) == before
    assert os.listdir(tmp_path / "work") == []
