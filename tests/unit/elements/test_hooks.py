"""Which files run, and in which order."""

from __future__ import annotations

from pathlib import Path

from fuel_image.elements.element import Element
from fuel_image.elements.hooks import Hook, files_of, hooks_of, in_order, shared_twice, why_not

from .making import written


def test_the_order_is_that_of_numbers_and_then_of_bytes() -> None:
    """As of ``LC_ALL=C sort -n``, which put it so."""
    names = ["100-a", "99-b", "9-a", "-5-c", "b", "a", "B", "_", "-", "0010-x", "10-x", "99-a", "1e3-x", "0x9-y"]
    told = ["-5-c", "-", "0x9-y", "B", "_", "a", "b", "1e3-x", "9-a", "0010-x", "10-x", "99-a", "99-b", "100-a"]
    assert [one.name for one in in_order([Hook("e", "install", Path(name)) for name in names])] == told


def test_what_runs(tmp_path: Path) -> None:
    files = {"*install.d/10-yes": "", "install.d/20-no": "", "*install.d/30-no.sh": "", "*post-install.d/40-no": ""}
    written(tmp_path / "one", files)
    (tmp_path / "one/install.d/50-directory").mkdir()
    one = Element("one", tmp_path / "one")
    assert [hook.name for hook in hooks_of([one], "install")] == ["10-yes"]
    said = {hook.name: why_not(hook) for hook in files_of(one, "install")}
    assert said["20-no"] == "does not run: it is not executable"
    assert "its name has '.'" in said["30-no.sh"]


def test_the_environment_is_read_whatever_its_mode(tmp_path: Path) -> None:
    written(tmp_path, {"one/environment.d/10-set.bash": "", "one/environment.d/10 odd": ""})
    said = [why_not(hook) for hook in files_of(Element("one", tmp_path / "one"), "environment")]
    assert said == ["is not read: its name has an odd character", ""]


def test_two_owners_of_a_file(tmp_path: Path) -> None:
    files = {
        "a/install.d/10-x": "",
        "b/install.d/10-x": "",
        "a/tests/10-x": "",
        "b/tests/10-x": "",
        "b/element-deps": "",
    }
    written(tmp_path, files)
    elements = [Element(name, tmp_path / name) for name in "ab"]
    (problem,) = shared_twice(elements)
    assert problem.path == "install.d/10-x" and problem.message.startswith("both a and b bring it: ")
