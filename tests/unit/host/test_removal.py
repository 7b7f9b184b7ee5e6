"""Removing directories, whatever is in them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fuel_image.host.removal import remove_directory

from ...damage import deep

DEEP = 5000
"""Deeper than Python's calls, than the files that a process may have open, and than a path that the kernel takes."""


@pytest.mark.parametrize("levels", [0, 1, DEEP])
def test_it_may_be_deep(levels: int, tmp_path: Path) -> None:
    deep(tmp_path / "top", levels)
    before = len(os.listdir("/proc/self/fd"))
    remove_directory(str(tmp_path / "top"))
    assert list(tmp_path.iterdir()) == []
    assert len(os.listdir("/proc/self/fd")) == before


def test_what_links_lead_to_stays(tmp_path: Path) -> None:
    outside, top = tmp_path / "outside", tmp_path / "top"
    outside.mkdir()
    (outside / "file").touch()
    (top / "sub").mkdir(parents=True)
    (top / "sub/link").symlink_to(outside)
    (top / "link").symlink_to(outside / "file")
    os.mkfifo(top / "pipe")
    parent = os.open(tmp_path, os.O_RDONLY)
    remove_directory("top", parent)
    os.close(parent)
    assert [path.name for path in tmp_path.rglob("*")] == ["outside", "file"]


def test_a_link_is_no_directory(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "link").symlink_to("outside")
    with pytest.raises(NotADirectoryError):
        remove_directory(str(tmp_path / "link"))
    assert sorted(os.listdir(tmp_path)) == ["link", "outside"]
