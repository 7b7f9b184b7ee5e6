"""What a machine may have for a disk, and how it comes out of a container."""

from __future__ import annotations

import gzip
import lzma
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zstandard

from fuel_image.errors import BuildError
from fuel_image.machine import medium

FILE = Path("/srv/disk.img")
PACK: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "xz": lzma.compress,
    "zstd": zstandard.ZstdCompressor().compress,
}


@pytest.mark.parametrize("form", ["raw", "qcow2", "vmdk", "vhdx", "vdi"])
def test_a_whole_disk(form: str) -> None:
    assert medium.objection({"format": form}, FILE) == ""


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ({"format": "luks"}, "in the format luks"),
        ({"format": "qcow2", "backing-filename": "/etc/shadow"}, "it needs /etc/shadow"),
        ({"format": "qcow2", "format-specific": {"data": {"data-file": "/etc/shadow"}}}, "it needs /etc/shadow"),
        ({"format": "vmdk", "format-specific": {"data": {"extents": [{"filename": "/a"}]}}}, "it needs /a"),
    ],
)
def test_a_disk_that_needs_other_files_is_refused(found: dict[str, Any], said: str) -> None:
    assert said in medium.objection(found, FILE)


def test_a_vmdk_that_is_its_own_extent() -> None:
    own = {"format": "vmdk", "format-specific": {"data": {"extents": [{"filename": str(FILE)}]}}}
    assert medium.objection(own, FILE) == ""


@pytest.mark.parametrize("container", PACK)
def test_unpacking_leaves_holes(container: str, tmp_path: Path) -> None:
    content = b"\1" * 5000 + bytes(64 << 20) + b"\2" + bytes(3 << 20)
    (tmp_path / "packed").write_bytes(PACK[container](content))
    medium.unpack(tmp_path / "packed", container, tmp_path / "raw")
    assert (tmp_path / "raw").read_bytes() == content
    assert (tmp_path / "raw").stat().st_blocks * 512 < 8 << 20


@pytest.mark.parametrize("container", ["gzip", "xz"])  # zstandard says nothing
def test_a_container_that_is_cut_short(container: str, tmp_path: Path) -> None:
    (tmp_path / "packed").write_bytes(PACK[container](bytes(range(256)) * 9999)[:-5])
    with pytest.raises(BuildError, match="unpacking packed: "):
        medium.unpack(tmp_path / "packed", container, tmp_path / "raw")
