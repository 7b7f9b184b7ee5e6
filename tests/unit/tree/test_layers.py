"""The names of layers, and how a damaged one is noticed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Callable

import pytest

from fuel_image.tree.layers import digest, listing


def test_a_digest_depends_on_values_and_their_order_but_not_on_that_of_keys() -> None:
    assert digest({"a": 1, "b": [1, 2]}) == digest({"b": [1, 2], "a": 1})
    assert len({digest([1, 2]), digest([2, 1]), digest(["1", "2"]), digest([12])}) == 4


CHANGES: dict[str, Callable[[Path], object]] = {
    "a mode": lambda top: (top / "file").chmod(0o600),
    "an owner": lambda top: os.chown(top / "file", 1, 1),
    "a size": lambda top: os.truncate(top / "file", 0),
    "a time": lambda top: os.utime(top / "file", (1, 1)),
    "a link": lambda top: os.replace(top / "other link", top / "link"),
    "a file more": lambda top: (top / "dir/more").touch(),
    "a file less": lambda top: (top / "file").unlink(),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_listing_notices(change: str, tmp_path: Path) -> None:
    (tmp_path / "dir").mkdir()
    (tmp_path / "file").write_text("content")
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "other link").symlink_to("elsewhere")
    before = listing(tmp_path)
    assert listing(tmp_path) == before
    CHANGES[change](tmp_path)
    assert listing(tmp_path) != before
