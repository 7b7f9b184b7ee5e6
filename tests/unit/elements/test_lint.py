"""What is wrong with elements, seen without running them."""

from __future__ import annotations

from pathlib import Path

import pytest

from fuel_image.elements import element, lint

from .making import written


def found(top: Path, files: dict[str, str]) -> list[str]:
    there = element.library([written(top, files)])
    return [str(problem) for problem in lint.problems(sorted(there.elements.values(), key=lambda one: one.name), there)]


def test_hooks_that_do_not_run(tmp_path: Path) -> None:
    files = {
        "*one/install.d/10-a.sh": "",
        "one/finalise.d/10-b": "",
        "one/install.d/data.conf": "",
        "one/pre-instal.d/10-c": "",
    }
    said = found(tmp_path, files)
    assert len(said) == 3
    assert said[0] == "one/pre-instal.d: is no phase; is pre-install.d meant?"
    assert said[1].startswith("one/install.d/10-a.sh: does not run: its name has '.'")
    assert said[2] == "one/finalise.d/10-b: does not run: it is not executable"


def test_what_a_hook_copies_is_no_hook(tmp_path: Path) -> None:
    files = {
        "*one/install.d/10-run": "#!/bin/sh\ncp /tmp/in_target.d/install.d/20-tool.sh /bin\n",
        "*one/install.d/20-tool.sh": "",
    }
    assert found(tmp_path, files) == []


@pytest.mark.parametrize(
    "use",
    [
        "echo ${DIB_X:-none}",
        "# $DIB_X",
        "DIB_X=1; echo $DIB_X",
        "[ -v DIB_X ] && echo $DIB_X",
        "echo $DIB_RELEASE",
        "cat <<'E'\n$DIB_X\nE",
    ],
)
def test_variables_that_are_well(use: str, tmp_path: Path) -> None:
    assert found(tmp_path, {"*one/install.d/10-run": f"#!/bin/bash\n{use}\n"}) == []


@pytest.mark.parametrize("use", ["echo $DIB_X", 'echo "${DIB_X}"', "echo ${DIB_X%/}", "echo ${#DIB_X}"])
def test_a_variable_that_nobody_declares(use: str, tmp_path: Path) -> None:
    (said,) = found(tmp_path, {"*one/install.d/10-run": f"#!/usr/bin/env bash\n{use}\n"})
    assert said == "one/install.d/10-run: uses DIB_X, which no environment.d of it or of what it needs declares"


def test_a_variable_that_a_needed_element_declares(tmp_path: Path) -> None:
    files = {"*one/install.d/10-run": "#!/bin/sh\necho $DIB_X\n", "one/element-deps": "other\n"}
    assert found(tmp_path, {**files, "other/environment.d/10-x": "export DIB_X=${DIB_X:-1}\n"}) == []


def test_places_of_the_host(tmp_path: Path) -> None:
    files = {
        "*one/install.d/10-in": "#!/bin/sh\ncp $TMP_MOUNT_PATH/a /b\necho x > /etc/motd\n",
        "*one/cleanup.d/10-out": "#!/bin/sh\necho x > /etc/motd\ntee $TARGET_ROOT/etc/motd </dev/null 2>/tmp/x\n",
    }
    assert found(tmp_path, files) == [
        "one/install.d/10-in: runs in the tree, and uses TMP_MOUNT_PATH, which names a place of the host",
        "one/cleanup.d/10-out: runs on the host, and writes to /etc/motd there",
    ]


def test_other_programs_are_not_read(tmp_path: Path) -> None:
    assert found(tmp_path, {"*one/install.d/10-run": "#!/usr/bin/env python3\nprint('$DIB_X')\n"}) == []
