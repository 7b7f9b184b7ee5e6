"""What a request asks for of elements."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from fuel_image.elements import asked
from fuel_image.errors import BuildError, RequestError, redact

from .making import written

SYSTEM = {"debian-minimal/element-provides": "operating-system\n", "*debian-minimal/root.d/10-a": ""}


def document(path: Path, *elements: str, **changes: Any) -> dict[str, Any]:
    return {"elements": list(elements), "elements_path": [str(path)], "codename": "bookworm", **changes}


def problems(wanted: dict[str, Any]) -> list[str]:
    if found := [str(problem) for problem in asked.problems(wanted)]:
        return found
    with pytest.raises(RequestError) as caught:
        asked.typed(wanted)
    return [str(problem) for problem in caught.value.problems]


def test_nothing_is_asked_for() -> None:
    chosen = asked.typed({"codename": "noble"})
    assert (chosen.elements, chosen.phases, chosen.packages) == ((), (), ())


def test_the_system_brings_its_packages(tmp_path: Path) -> None:
    chosen = asked.typed(document(written(tmp_path, SYSTEM), "debian-minimal"))
    assert "systemd-sysv" in chosen.packages
    assert [phase.name for phase in chosen.phases] == ["root", "cleanup"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"codename": "noble"}, "$.elements: debian-minimal: makes Debian, and the codename noble is of Ubuntu"),
        ({"elements": ["nowhere", "debian-minimal"]}, "$.elements: nowhere: there is no such element (asked for)"),
        ({"elements_path": ["somewhere"]}, "$.elements_path[0]: somewhere is no absolute path"),
        (
            {"environment": {"A B": "c"}},
            "$.environment: A B is no name of a variable, or has a value that none can have",
        ),
        ({"environment": {"A": "c\0"}}, "$.environment: A is no name of a variable, or has a value that none can have"),
    ],
)
def test_problems(changes: dict[str, Any], said: str, tmp_path: Path) -> None:
    assert problems({**document(written(tmp_path, SYSTEM), "debian-minimal"), **changes}) == [said]


def test_other_systems_are_refused(tmp_path: Path) -> None:
    written(tmp_path, {"gentoo/element-provides": "operating-system"})
    (said,) = problems(document(tmp_path, "gentoo"))
    assert "provided by another element than debian-minimal, ubuntu-minimal" in said


def test_what_takes_a_block_device_is_refused(tmp_path: Path) -> None:
    written(tmp_path, {**SYSTEM, "vm/element-deps": "bootloader\n", "bootloader/README.rst": ""})
    (said,) = problems(document(tmp_path, "vm", "debian-minimal"))
    assert said.startswith("$.elements: bootloader: puts a boot loader on a block device; leave it out, and vm with it")


def test_two_that_bring_the_same_file(tmp_path: Path) -> None:
    written(tmp_path, {**SYSTEM, "a/install.d/10-x": "", "b/install.d/10-x": ""})
    (said,) = problems(document(tmp_path, "a", "b", "debian-minimal"))
    assert said.startswith("$.elements: install.d/10-x: both a and b bring it")


def test_what_belongs_to_elements_needs_some() -> None:
    assert len(problems({"elements_path": ["/srv"], "environment": {}, "codename": "noble"})) == 2


def test_a_late_element_changes_no_early_phase(tmp_path: Path) -> None:
    """The layers of phases before its first stay as they are when it changes."""
    written(tmp_path, {**SYSTEM, "*late/install.d/10-x": "one", "*data/install.d/10-y": "", "data/pkg-map": "{}"})
    wanted = document(tmp_path, "late", "data", "debian-minimal")
    before = asked.typed(wanted)
    assert [one.name for one in before.in_phase("root")] == ["data", "debian-minimal"]
    assert [one.name for one in before.in_phase("install")] == ["data", "debian-minimal", "late"]
    written(tmp_path, {"*late/install.d/10-x": "another"})
    after = asked.typed(wanted)
    assert [before.inputs(name) == after.inputs(name) for name in ("root", "install", "cleanup")] == [
        True,
        False,
        False,
    ]
    assert before.digests != after.digests


@pytest.mark.parametrize("change", ["content", "mode", "name", "link"])
def test_every_file_counts(change: str, tmp_path: Path) -> None:
    wanted = document(written(tmp_path, {**SYSTEM, "*a/static/x": "1"}), "a", "debian-minimal")
    (tmp_path / "a/static/l").symlink_to("x")
    before = asked.typed(wanted).digests
    file = tmp_path / "a/static/x"
    if change == "content":
        file.write_text("2")
    elif change == "mode":
        file.chmod(0o644)
    elif change == "name":
        file.rename(tmp_path / "a/static/y")
    else:
        (tmp_path / "a/static/l").unlink()
        (tmp_path / "a/static/l").symlink_to("y")
    assert asked.typed(wanted).digests != before


def test_variables_are_an_input_of_every_phase(tmp_path: Path) -> None:
    wanted = document(written(tmp_path, SYSTEM), "debian-minimal", environment={"DIB_X": "planted"})
    chosen = asked.typed(wanted)
    assert chosen.inputs("root") != asked.typed({**wanted, "environment": {"DIB_X": "other"}}).inputs("root")
    assert "planted" not in repr(chosen) and "planted" not in str(chosen.inputs("root"))


@pytest.mark.parametrize("name", ["element-deps", "odd", "static/odd"])
def test_pipes_are_not_waited_for(name: str, tmp_path: Path) -> None:
    written(tmp_path, {**SYSTEM, "*a/static/x": "1"})
    os.mkfifo(tmp_path / "a" / name)
    (said,) = problems(document(tmp_path, "a", "debian-minimal"))
    assert "is neither a file nor a directory" in said or "element-deps is no file" in said


def test_an_element_that_changes_meanwhile(tmp_path: Path) -> None:
    chosen = asked.typed(document(written(tmp_path, SYSTEM), "debian-minimal"))
    chosen.check_unchanged("root")
    written(tmp_path, {"*debian-minimal/root.d/10-a": "other"})
    with pytest.raises(BuildError, match="debian-minimal changed meanwhile"):
        chosen.check_unchanged("root")


def test_what_is_secret_by_its_name_is_shown_nowhere(tmp_path: Path) -> None:
    variables = {"DIB_DEV_USER_PASSWORD": "hid-den-1", "DIB_PLAIN": "sho-wn-22", "DIB_SHORT_TOKEN": "abc"}
    asked.typed(document(written(tmp_path, SYSTEM), "debian-minimal", environment=variables))
    assert redact("hid-den-1 sho-wn-22 abc") == "*** sho-wn-22 abc"
