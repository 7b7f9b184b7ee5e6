"""When a published set may stay, and what is said when it may not."""

from __future__ import annotations

import dataclasses
import hashlib
import logging
import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from fuel_image import __version__, metadata, published
from fuel_image import record as records
from fuel_image.archive import release
from fuel_image.archive.trust import Answer
from fuel_image.errors import FetchError
from fuel_image.published import Standing
from fuel_image.record import Record
from fuel_image.request import Request, parse
from tests.damage import flip, truncate

from .test_request import changed

CONTENTS = {"node.img.gz": b"root" * 1000, "node-boot.img.gz": b"boot"}
DIGEST = "1" * 64
PATIENCE_SECONDS = 10


def answer(name: str, text: str | None = "", unreachable: FetchError | None = None) -> Answer:
    """Return what a repository says whose Release holds *text*; None for one without a Release."""
    repository = next(one for one in asked(Path("/")).repositories if one.name == name)
    if text is None or unreachable is not None:
        return Answer(repository, None, unreachable=unreachable)
    return Answer(repository, release.parse(f"Origin: {text}\nSHA256:\n {DIGEST} 1 Packages\n", name))


def asked(output: Path) -> Request:
    uri = "http://mirror.example.org/ubuntu"
    images = {
        mount: {"uri": f"http://127.0.0.1/{name}", "format": "ext4", "container": "gzip"}
        for mount, name in zip(("/", "/boot"), CONTENTS)
    }
    repos = [{"name": name, "uri": uri, "suite": name, "section": "main"} for name in ("noble", "noble-updates")]
    return parse(changed(output=str(output), image_data=images, repos=repos), environment={})


def record(request: Request) -> dict[str, Any]:
    return {
        "os": {"name": "Ubuntu", "major": 24, "minor": 4},
        "packages": ["acl"],
        "repos": [
            {"name": one, "uri": "", "suite": one, "section": "main", "release_sha256": release_sha256(one)}
            for one in ("noble", "noble-updates")
        ],
        "images": [
            {
                "container_name": name,
                "container_size": len(content),
                "container_md5": "",
                "container_sha256": hashlib.sha256(content).hexdigest(),
                "container": "gzip",
                "raw_size": 0,
                "raw_md5": "",
                "format": "ext4",
            }
            for name, content in CONTENTS.items()
        ],
        "request_sha256": request.digest,
        "fuel_image_version": __version__,
        "installed": [{"name": name, "version": "1", "arch": "all"} for name in ("acl", "adduser")],
    }


def release_sha256(name: str) -> str:
    found = answer(name).release
    assert found is not None
    return found.sha256


@pytest.fixture
def request_(tmp_path: Path) -> Request:
    """A request whose set is published."""
    request = asked(tmp_path)
    for name, content in CONTENTS.items():
        (tmp_path / name).write_bytes(content)
    request.metadata_path.write_text(metadata.written(record(request)))
    return request


def look(request: Request) -> Standing:
    return published.examine(request, threading.Event())


def test_a_whole_set_stands(request_: Request) -> None:
    standing = look(request_)
    assert standing == Standing(records.parse(metadata.written(record(request_))))


def test_nothing_published_is_no_difference(tmp_path: Path) -> None:
    assert look(asked(tmp_path / "nowhere")) == Standing()
    assert look(asked(tmp_path)) == Standing()


def _replace_by_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _replace_by_fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("node.img.gz", truncate, "node.img.gz has 3,999 bytes, not 4,000"),
        ("node-boot.img.gz", flip, "the content of node-boot.img.gz has changed"),
        ("node.img.gz", Path.unlink, "node.img.gz is missing"),
        ("node.img.gz", _replace_by_directory, "node.img.gz is no regular file"),
        ("node.img.gz", _replace_by_fifo, "node.img.gz is no regular file"),
        ("node.yaml", Path.unlink, "node.yaml is missing"),
        ("node.yaml", _replace_by_directory, "node.yaml cannot be read: Is a directory"),
        ("node.yaml", truncate, "node.yaml is damaged"),
        ("node.yaml", lambda path: path.write_bytes(b""), "node.yaml is damaged"),
        ("node.yaml", lambda path: path.write_bytes(b"\xff\n...\n"), "node.yaml is damaged"),
        ("node.yaml", lambda path: path.write_text("a: [\n...\n"), "node.yaml is damaged"),
        ("node.yaml", lambda path: path.write_text("[]\n...\n"), "node.yaml is damaged"),
        ("node.yaml", lambda path: path.write_text("images: 4\n...\n"), "node.yaml is damaged"),
    ],
)
def test_what_is_damaged_is_named(name: str, change: Callable[[Path], None], said: str, request_: Request) -> None:
    change(request_.output / name)
    assert look(request_) == Standing(difference=said)


def test_metadata_without_its_end_is_not_whole(request_: Request) -> None:
    """Cut between two packages it is good YAML still."""
    text = request_.metadata_path.read_text()
    request_.metadata_path.write_text(text[: text.index("- name: adduser")])
    assert look(request_).difference == "node.yaml is damaged"


def _set(request: Request, **changes: Any) -> Record:
    return dataclasses.replace(records.parse(metadata.written(record(request))), **changes)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, ""),
        ({"version": "0.9"}, f"node.yaml was made by fuel-image 0.9, this is fuel-image {__version__}"),
        ({"request_sha256": DIGEST}, "the request has changed"),
        ({"version": None}, f"node.yaml was made by another program, this is fuel-image {__version__}"),
        ({"images": ()}, "node.yaml names other files"),
    ],
)
def test_a_set_of_another_kind(changes: dict[str, Any], said: str, request_: Request) -> None:
    assert published.unfit(_set(request_, **changes), request_) == said


DOWN = FetchError("fetching InRelease of noble: connection refused")


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ([answer("noble"), answer("noble-updates")], ""),
        ([answer("noble"), answer("noble-updates", "new")], "noble-updates has changed"),
        ([answer("noble", None), answer("noble-updates")], "noble has no Release that tells whether it has changed"),
        ([answer("noble", unreachable=DOWN), answer("noble-updates")], ""),
        ([answer("noble", unreachable=DOWN), answer("noble-updates", "new")], "noble-updates has changed"),
        ([answer("noble")], "there are other repositories"),
    ],
)
def test_repositories_that_change(answers: Sequence[Answer], said: str, request_: Request) -> None:
    assert published.changed(_set(request_), answers) == said


def test_a_set_made_without_a_release_never_stands(request_: Request) -> None:
    first, second = _set(request_).sources
    made = _set(request_, sources=(dataclasses.replace(first, release_sha256=None), second))
    assert published.changed(made, [answer("noble"), answer("noble-updates")]) == "noble has changed"


def test_what_is_logged(request_: Request, caplog: pytest.LogCaptureFixture) -> None:
    good = [answer("noble"), answer("noble-updates")]
    cases: list[tuple[Standing, list[Answer], list[str], str]] = [
        (Standing(), good, [], "None"),
        (Standing(difference="why"), good, ["INFO building anew: why"], "None"),
        (
            Standing(_set(request_)),
            good,
            ["INFO All necessary images are available. Nothing needs to be done."],
            "already built: node.yaml is whole and its repositories have not changed",
        ),
        (
            Standing(_set(request_)),
            [answer("noble", unreachable=DOWN), good[1]],
            [
                f"WARNING nobody tells whether noble has changed: {DOWN.message}",
                "INFO All necessary images are available. Nothing needs to be done.",
            ],
            "already built: node.yaml is whole; nobody could be asked about noble",
        ),
    ]
    for standing, answers, logged, result in cases:
        caplog.clear()
        with caplog.at_level(logging.INFO):
            assert str(published.already_built(standing, answers, request_.metadata_path)) == result
        assert [f"{one.levelname} {one.getMessage()}" for one in caplog.records] == logged


def test_who_does_not_wait_for_the_answer_is_not_held_up(request_: Request, monkeypatch: pytest.MonkeyPatch) -> None:
    with published.examined(request_) as looking:
        assert looking.result().record is not None
    heard: list[bool] = []
    monkeypatch.setattr(published, "examine", lambda _, stopped: heard.append(stopped.wait(PATIENCE_SECONDS)))
    with pytest.raises(RuntimeError), published.examined(request_):
        raise RuntimeError
    assert heard == [True]


def test_a_set_that_was_not_read_to_its_end_is_not_called_whole(request_: Request) -> None:
    stopped = threading.Event()
    stopped.set()
    assert published.examine(request_, stopped).record is None
