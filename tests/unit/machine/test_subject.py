"""What is booted for a path."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from fuel_image.errors import BuildError, FuelImageError, HostError
from fuel_image.machine import subject
from fuel_image.machine.assembly import Packed
from fuel_image.metadata import sealed


def image(mount: str | None, **changes: Any) -> dict[str, Any]:
    found = {
        "raw_md5": "r",
        "raw_size": 1,
        "container_name": "node.img.gz",
        "container_md5": "c",
        "container_sha256": "s",
        "container_size": 1,
        "container": "gzip",
        "format": "ext4",
        "mount": mount,
    }
    return {**found, **changes}


DISK = {
    "kind": "disk",
    "name": "node.qcow2",
    "format": "qcow2",
    "container": "raw",
    "size": 1,
    "md5": "m",
    "sha256": "d",
}


def metadata(directory: Path, **changes: Any) -> Path:
    found = {
        "os": {"name": "Ubuntu", "major": 24, "minor": 4},
        "packages": [],
        "repos": [],
        "images": [image("/")],
        "arch": "amd64",
        "installed": [{"name": "cloud-init", "version": "1", "arch": "all"}],
        **changes,
    }
    (directory / "node.yaml").write_text(sealed(yaml.safe_dump(found)))
    return directory / "node.yaml"


def test_a_disk_is_what_is_no_text(tmp_path: Path) -> None:
    file = tmp_path / "disk.yaml"
    file.write_bytes(b"QFI\xfb\0\0\0\3")
    found = subject.examined(file)
    assert (found.disk, found.images, found.files, found.has_cloud_init) == (file, (), {file: None}, False)


def test_a_set_of_partition_images(tmp_path: Path) -> None:
    found = subject.examined(metadata(tmp_path))
    file = tmp_path / "node.img.gz"
    assert (found.disk, found.images) == (None, (Packed(file, "/", "ext4", "gzip"),))
    assert (found.files, found.has_cloud_init) == ({file: "s"}, True)


def test_a_set_with_a_disk(tmp_path: Path) -> None:
    found = subject.examined(metadata(tmp_path, artifacts=[DISK]))
    assert found.disk == tmp_path / "node.qcow2"
    assert found.files == {tmp_path / "node.img.gz": "s", tmp_path / "node.qcow2": "d"}


@pytest.mark.parametrize(
    ("changes", "kind", "said"),
    [
        ({"arch": "arm64"}, HostError, "it is for arm64"),
        ({"images": [image(None)]}, BuildError, "neither a disk nor images"),
        ({"images": [image("/", container_name="../x")]}, BuildError, "nothing that can be read"),
        ({"images": [image("/", container="rar")]}, BuildError, "nothing that can be read"),
    ],
)
def test_a_set_that_cannot_be_booted(
    changes: dict[str, Any], kind: type[FuelImageError], said: str, tmp_path: Path
) -> None:
    with pytest.raises(kind, match=said):
        subject.examined(metadata(tmp_path, **changes))


def test_what_is_not_there_or_no_record(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="No such file"):
        subject.examined(tmp_path / "absent")
    (tmp_path / "text").write_text("# Disk DescriptorFile\n")
    with pytest.raises(FuelImageError, match="no record of a set"):
        subject.examined(tmp_path / "text")


def test_a_file_that_is_not_as_its_record_says(tmp_path: Path) -> None:
    found = subject.examined(metadata(tmp_path))
    file = tmp_path / "node.img.gz"
    assert subject.altered(found, {file: "s"}) == ()
    assert subject.altered(found, {file: "t"}) == ("node.img.gz has the SHA-256 t, not s",)
    with pytest.raises(BuildError, match=r"reading .*node\.img\.gz: No such file"):
        subject.digests(found)
