"""Outputs appear whole or not at all, the metadata last."""

from __future__ import annotations

from pathlib import Path

import pytest

from fuel_image.publish import reveal_set, staged


def test_nothing_is_seen_before_it_is_revealed(tmp_path: Path) -> None:
    with staged(tmp_path, "image") as image, staged(tmp_path, "meta.yaml") as metadata:
        image.file.write(b"image")
        metadata.file.write(b"meta")
        assert list(tmp_path.iterdir()) == []
        reveal_set(tmp_path, [image], metadata)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"image": b"image", "meta.yaml": b"meta"}
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o644}


def test_a_failed_build_leaves_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "image").write_bytes(b"old")
    with pytest.raises(RuntimeError), staged(tmp_path, "image") as image:
        image.file.write(b"new")
        raise RuntimeError
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"image": b"old"}


def test_a_new_set_replaces_the_old(tmp_path: Path) -> None:
    for name in ("image", "meta.yaml"):
        (tmp_path / name).write_bytes(b"old")
    with staged(tmp_path, "image") as image, staged(tmp_path, "meta.yaml") as metadata:
        image.file.write(b"new")
        metadata.file.write(b"new")
        reveal_set(tmp_path, [image], metadata)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"image": b"new", "meta.yaml": b"new"}


def test_what_a_killed_build_left_goes_with_the_next_whatever_that_builds(tmp_path: Path) -> None:
    (tmp_path / ".other.img.gz.fuel-image-new").write_bytes(b"left")
    (tmp_path / ".htaccess").write_bytes(b"the site's")
    with staged(tmp_path, "image") as image, staged(tmp_path, "meta.yaml") as metadata:
        reveal_set(tmp_path, [image], metadata)
    assert {path.name for path in tmp_path.iterdir()} == {".htaccess", "image", "meta.yaml"}
