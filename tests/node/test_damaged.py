"""What fuel-agent refuses, so that what it accepts means something."""

from __future__ import annotations

import copy
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.integration.images import ImageSet, output_of

from . import nginx
from .machine import Outcome, as_served, machine

pytestmark = [pytest.mark.node, pytest.mark.parametrize("image_set", ["noble"], indirect=True)]

Provision = Callable[[Any], Outcome]


@pytest.fixture
def image(image_set: ImageSet, tmp_path: Path) -> Path:
    """A copy of the image of /boot, to be damaged."""
    directory = tmp_path / "targetimages"
    directory.mkdir()
    return Path(shutil.copy(image_set.file("/boot"), directory))


@pytest.fixture
def provision(image_set: ImageSet, image: Path, agent_python: Path, tmp_path: Path) -> Provision:
    """Return a function that lets fuel-agent copy the set with *metadata*, /boot first: it is to get no further."""

    def run(metadata: Any) -> Outcome:
        (image.parent / image_set.path.name).write_text(yaml.safe_dump(metadata))
        served = nginx.serving(image.parent, tmp_path / "nginx")
        with served as url, machine(agent_python, tmp_path / "disk") as node:
            images = as_served(image_set, url)
            return node.run({mount: images[mount] for mount in ("/boot", "/")}, "do_copyimage")

    return run


def wrong_md5(_: Path, entry: dict[str, Any]) -> None:
    entry["raw_md5"] = entry["container_md5"]


def several_members(path: Path, _: dict[str, Any]) -> None:
    """It writes the first of them; gzip reads them all."""
    raw = unpacked(path)
    parts = raw[: len(raw) // 2], raw[len(raw) // 2 :]
    path.write_bytes(b"".join(packed(part) for part in parts))
    assert unpacked(path) == raw


def truncated(path: Path, _: dict[str, Any]) -> None:
    os.truncate(path, path.stat().st_size // 2)


def unclean(path: Path, entry: dict[str, Any]) -> None:
    """A count of links that e2fsck repairs, in an image that the metadata fits."""
    raw = path.with_suffix(".raw")
    raw.write_bytes(unpacked(path))
    output_of("debugfs", "-w", "-R", "set_inode_field /grub links_count 9", raw)
    entry["raw_md5"] = output_of("md5sum", raw).split()[0]
    path.write_bytes(packed(raw.read_bytes()))
    raw.unlink()


def unpacked(path: Path) -> bytes:
    return subprocess.run(["gzip", "-dc", path], check=True, stdout=subprocess.PIPE).stdout


def packed(raw: bytes) -> bytes:
    return subprocess.run(["gzip", "-1"], input=raw, check=True, stdout=subprocess.PIPE).stdout


@pytest.mark.parametrize(
    ("damage", "error", "text"),
    [
        (wrong_md5, "ImageChecksumMismatchError", "mismatches with expected"),
        (several_members, "ImageChecksumMismatchError", "mismatches with expected"),
        (truncated, "ImageChecksumMismatchError", "mismatches with expected"),
        (unclean, "ProcessExecutionError", "Command: e2fsck -yf"),
    ],
)
def test_a_damaged_image(
    damage: Callable[[Path, dict[str, Any]], None],
    error: str,
    text: str,
    image_set: ImageSet,
    image: Path,
    provision: Provision,
) -> None:
    metadata = copy.deepcopy(image_set.record)
    damage(image, next(one for one in metadata["images"] if one["mount"] == "/boot"))
    outcome = provision(metadata)
    assert outcome.error is not None and outcome.error["type"] == error, outcome.log
    assert text in outcome.error["text"]
    assert all(one["size"] and one["md5"] for one in outcome.images)


def test_metadata_of_the_first_shape(image_set: ImageSet, provision: Provision) -> None:
    """That of March 2015: not a mapping with a list of images, but a list of mappings from mount points."""
    metadata = [
        {
            one["mount"]: {
                "md5": one["raw_md5"],
                "size": one["raw_size"],
                "filename": one["container_name"],
                "container": one["container"],
                "format": one["format"],
            }
        }
        for one in image_set.record["images"]
    ]
    outcome = provision([*metadata, {"repos": image_set.record["repos"]}])
    assert outcome.error == {"type": "AttributeError", "text": "'list' object has no attribute 'get'"}, outcome.log
