"""Elements are found on a path, and say what they need."""

from __future__ import annotations

from pathlib import Path

import pytest

from fuel_image.elements.element import library
from fuel_image.errors import ElementsError

from .making import written


def test_lists_have_a_name_on_each_line(tmp_path: Path) -> None:
    written(tmp_path, {"one/element-deps": "\n  b \na\n\nb\n", "one/element-provides": "operating-system\n"})
    one = library([tmp_path]).elements["one"]
    assert (one.dependencies, one.provides) == (("a", "b"), ("operating-system",))


def test_the_first_of_a_name_counts(tmp_path: Path) -> None:
    for place in ("first", "second", "third"):
        written(tmp_path, {f"{place}/one/element-deps": place})
    found = library([tmp_path / place for place in ("first", "second", "third", "first")])
    assert found.elements["one"].dependencies == ("first",)
    assert [one.dependencies for one in found.hidden["one"]] == [("second",), ("third",)]


def test_a_link_is_named_as_what_it_leads_to(tmp_path: Path) -> None:
    written(tmp_path, {"elsewhere/real/element-deps": "a", "path/plain": "no directory"})
    (tmp_path / "path/linked").symlink_to(tmp_path / "elsewhere/real")
    assert list(library([tmp_path / "path"]).elements) == ["real"]


def test_all_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    written(tmp_path, {"path/odd/element-deps": "a"})
    (tmp_path / "path/odd/element-deps").write_bytes(b"\xff\n")
    written(tmp_path, {"path/long/element-provides": "a" * (1 << 20) + "bc"})
    with pytest.raises(ElementsError) as caught:
        library([tmp_path / "none", tmp_path / "path"])
    said = str(caught.value)
    assert "3 problems" in said and "none: no directory of elements" in said
    assert "odd: reading" in said and "long: reading" in said
