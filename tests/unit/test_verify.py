"""A set against its record: what is as recorded, and what each kind of damage is called."""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import lzma
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
import zstandard

from fuel_image import cli, verify
from fuel_image.archive.transport import Body
from fuel_image.commands.published import transport
from fuel_image.record import parse

CONTENT = b"the content of an image " * 100_000
PACK: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "xz": lzma.compress,
    "zstd": zstandard.ZstdCompressor(write_checksum=True).compress,
    "raw": bytes,
}
PATIENCE_SECONDS = 10


def image(name: str, container: str, packed: bytes, content: bytes = CONTENT) -> dict[str, Any]:
    return {
        "raw_md5": hashlib.md5(content).hexdigest(),
        "raw_sha256": hashlib.sha256(content).hexdigest(),
        "raw_size": len(content),
        "container_name": name,
        "container_md5": hashlib.md5(packed).hexdigest(),
        "container_sha256": hashlib.sha256(packed).hexdigest(),
        "container_size": len(packed),
        "container": container,
        "format": "ext4",
    }


def published(directory: Path, **changes: Any) -> Path:
    """Publish one image in each container; *changes* are made to each description. Return the metadata."""
    images = []
    for container, pack in PACK.items():
        packed = pack(CONTENT)
        (directory / f"node.{container}").write_bytes(packed)
        images.append({**image(f"node.{container}", container, packed), **changes})
    found = {"os": {"name": "Ubuntu", "major": 24, "minor": 4}, "packages": [], "repos": [], "images": images}
    (directory / "node.yaml").write_text(yaml.safe_dump(found))
    return directory / "node.yaml"


def problems(metadata: Path) -> dict[str, tuple[str, ...]]:
    findings = verify.verify(parse(metadata.read_text()), str(metadata), transport())
    return {finding.image.container: finding.problems for finding in findings}


def test_a_whole_set(tmp_path: Path) -> None:
    assert problems(published(tmp_path)) == dict.fromkeys(PACK, ())


@pytest.mark.parametrize("container", [one for one in PACK if one != "raw"])
def test_a_file_that_is_cut_short(container: str, tmp_path: Path) -> None:
    metadata = published(tmp_path)
    path = tmp_path / f"node.{container}"
    path.write_bytes(path.read_bytes()[:-9])
    size, unpacked = problems(metadata)[container]
    assert size.endswith(f"bytes, not {len(PACK[container](CONTENT)):,}")
    assert unpacked.startswith(("it cannot be unpacked: ", "the image in it has "))


def test_more_than_one_gzip_member(tmp_path: Path) -> None:
    packed = gzip.compress(CONTENT[:1000]) + gzip.compress(CONTENT[1000:])
    metadata = published(tmp_path)
    (tmp_path / "node.gzip").write_bytes(packed)
    assert "it goes on after the first gzip member" in problems(metadata)["gzip"][1]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"raw_md5": "0"}, "the image in it has the MD5"),
        ({"raw_sha256": "0"}, "the image in it has the SHA-256"),
        ({"raw_size": 1}, "the image in it has 2,400,000 bytes, not 1"),
        ({"container_md5": "0"}, "it has the MD5"),
        ({"container_sha256": "0"}, "it has the SHA-256"),
        ({"container_size": 1}, "bytes, not 1"),
        ({"container_name": "absent"}, "no such file"),
        ({"container_name": "../node.raw"}, "nothing that can be checked"),
        ({"container": "rar"}, "nothing that can be checked"),
    ],
)
def test_a_record_that_does_not_fit(changes: dict[str, Any], said: str, tmp_path: Path) -> None:
    for found in problems(published(tmp_path, **changes)).values():
        assert len(found) == 1
        assert said in found[0]


@pytest.mark.parametrize("container", PACK)
def test_an_interrupt_ends_the_reading_at_once(container: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long the file goes on, in its image or behind it."""
    outlasted: list[str] = []

    def chunks(_body: Body, _limit_bytes: int) -> Iterator[bytes]:
        yield PACK[container](CONTENT)
        os.kill(os.getpid(), signal.SIGINT)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            yield bytes(1 << 18)
        outlasted.append(container)

    metadata = published(tmp_path)
    record = parse(metadata.read_text())
    one = dataclasses.replace(record, images=tuple(one for one in record.images if one.container == container))
    monkeypatch.setattr(Body, "chunks", chunks)
    with pytest.raises(KeyboardInterrupt):
        verify.verify(one, str(metadata), transport())
    assert outlasted == []


def test_the_exit_code_tells(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["verify", str(published(tmp_path))]) == 0
    assert "node.zstd: as recorded (" in capsys.readouterr().out
    assert cli.main(["verify", str(published(tmp_path, raw_md5="0"))]) == 1
    assert "node.zstd: the image in it has the MD5" in capsys.readouterr().out
    assert cli.main(["verify", str(tmp_path / "absent.yaml")]) == 1


def test_show_and_compare(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    metadata = str(published(tmp_path))
    assert cli.main(["show", metadata]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("Ubuntu 24.04, made by another program\n")
    assert "node.gzip  -      ext4         gzip" in shown
    assert cli.main(["compare", metadata, metadata]) == 0
    assert capsys.readouterr().out == "nothing has changed\n"
