"""Files that several builds share appear whole, and the oldest go first."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fuel_image.host.files import appearing, keep_newest


def test_a_file_appears_whole(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file"
    with appearing(path) as file:
        file.write(b"whole")
        assert not path.exists()
    assert path.read_bytes() == b"whole"
    assert list(path.parent.iterdir()) == [path]


def test_a_failure_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with pytest.raises(ValueError, match="full"), appearing(path) as file:
        file.write(b"half")
        raise ValueError("full")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_newest_are_kept(tmp_path: Path) -> None:
    for age, name in enumerate(("a", "b", "c")):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (1000 - age, 1000 - age))
    keep_newest(tmp_path, 2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]
    keep_newest(tmp_path / "missing", 2)
