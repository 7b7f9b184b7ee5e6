"""The learning of a mirror from a host's configuration."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fuel_image.errors import RequestError
from fuel_image.request import parse
from fuel_image.sample import sample


def write(root: Path, path: str, text: str) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text)


def repos(root: Path, suite: str | None = None) -> list[tuple[Any, Any]]:
    text = sample(suite, "/out", root)
    parse(text, strict=True, environment={})
    return [(repo["uri"], repo["suite"]) for repo in json.loads(text)["repos"]]


DEB822 = """\
# a comment
Types: deb
URIs: http://mirror.example.org/debian
Suites: bookworm bookworm-updates
Components: main

Types: deb
URIs: http://mirror.example.org/debian-security
Suites: bookworm-security
Components: main

Types: deb
Enabled: no
URIs: http://other.example.org/
Suites: trixie
Components: main
"""


def test_deb822_sources(tmp_path: Path) -> None:
    write(tmp_path, "etc/apt/sources.list.d/debian.sources", DEB822)
    assert repos(tmp_path) == [
        ("http://mirror.example.org/debian", "bookworm"),
        ("http://mirror.example.org/debian", "bookworm-updates"),
        ("http://mirror.example.org/debian-security", "bookworm-security"),
    ]


def test_another_release_of_the_same_distribution(tmp_path: Path) -> None:
    write(tmp_path, "etc/apt/sources.list.d/debian.sources", DEB822)
    assert ("http://mirror.example.org/debian-security", "trixie-security") in repos(tmp_path, "trixie")
    assert repos(tmp_path, "sid") == [("http://mirror.example.org/debian", "sid")]


def test_one_line_sources(tmp_path: Path) -> None:
    write(tmp_path, "etc/apt/sources.list", "deb [arch=amd64] http://mirror.example.org/ubuntu/ noble main # x\n")
    assert repos(tmp_path)[0] == ("http://mirror.example.org/ubuntu", "noble")


def test_the_other_distribution_s_default_mirror(tmp_path: Path) -> None:
    write(tmp_path, "etc/apt/sources.list.d/debian.sources", DEB822)
    write(tmp_path, "usr/share/debootstrap/scripts/gutsy", "default_mirror http://u.example.org/ubuntu\n")
    assert [uri for uri, _ in repos(tmp_path, "noble")] == ["http://u.example.org/ubuntu"] * 3


def test_without_any_mirror_a_placeholder_and_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert repos(tmp_path, "noble")[0] == ("http://mirror.example.org/ubuntu", "noble")
    assert "replace mirror.example.org" in caplog.text


def test_no_release(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="name one"):
        sample(None, "/out", tmp_path)
    with pytest.raises(RequestError, match="hardy is not one of"):
        sample("hardy", "/out", tmp_path)
