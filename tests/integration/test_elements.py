"""The elements of diskimage-builder itself, from its wheel, unmodified."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from fuel_image.elements import element, lint
from fuel_image.elements.resolve import resolved
from fuel_image.errors import ElementsError

pytestmark = pytest.mark.integration

WHEEL = "diskimage-builder==3.43.0"
SYSTEMS = ("", "debian-minimal", "ubuntu-minimal", "fedora", "debian-minimal block-device-gpt")
# Each answer comes from a process of its own sets: theirs depend on the order of a set.
ASK = """
import json, logging, sys
from diskimage_builder import element_dependencies
logging.disable(logging.CRITICAL)
path, *asked = sys.argv[1:]
for one in asked:
    try:
        print(json.dumps(sorted(name for name, _ in element_dependencies.get_elements(one.split(), path))))
    except Exception:
        print("null")
"""


@pytest.fixture(scope="module")
def their_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a Python that has diskimage-builder."""
    environment = tmp_path_factory.mktemp("diskimage-builder")
    subprocess.run([sys.executable, "-m", "venv", environment], check=True)
    subprocess.run([environment / "bin/pip", "install", "--quiet", WHEEL], check=True)
    return environment / "bin/python"


@pytest.fixture(scope="module")
def elements(their_python: Path) -> Path:
    """Return the directory of its elements."""
    return next(their_python.parents[1].glob("lib/python3*/site-packages/diskimage_builder/elements"))


def theirs(python: Path, elements: Path, asked: Sequence[str]) -> Mapping[str, Any]:
    said = subprocess.run([python, "-c", ASK, elements, *asked], check=True, stdout=subprocess.PIPE, text=True)
    return dict(zip(asked, map(json.loads, said.stdout.splitlines())))


def ours(asked: str, there: element.Library) -> list[str] | None:
    try:
        return sorted(one.name for one in resolved(asked.split(), there))
    except ElementsError:
        return None


def test_every_element_resolves_as_there(their_python: Path, elements: Path) -> None:
    there = element.library([elements])
    assert len(there.elements) > 100
    # Of an element that is named twice they say that it provides again what it provides.
    asked = [f"{name} {system}".strip() for name in there.elements for system in SYSTEMS if name not in system.split()]
    expected = theirs(their_python, elements, asked)
    different = {one: (ours(one, there), expected[one]) for one in asked if ours(one, there) != expected[one]}
    assert different == {}
    assert sum(answer is not None for answer in expected.values()) > len(asked) // 3


def test_dependencies_come_first(elements: Path) -> None:
    there = element.library([elements])
    taken: set[str] = set()
    for one in resolved(["vm", "baremetal", "openssh-server", "ubuntu-minimal", "block-device-efi"], there):
        assert set(one.dependencies) - {"block-device"} <= taken, one
        taken.add(one.name)


def test_mistakes_that_they_have(elements: Path) -> None:
    there = element.library([elements])
    found = [str(problem) for one in there.elements.values() for problem in lint.problems([one], there)]
    assert "enable-serial-console/cleanup.d/99-fix-grub: does not run: it is not executable" in found
    assert any(line.startswith("ramdisk/post-install.d/99-build-ramdisk: runs in the tree, and uses") for line in found)
    assert len(found) < 20, found  # the others are well
    both = [str(problem) for problem in lint.problems(resolved(["modprobe-blacklist", "debian-minimal"], there), there)]
    assert any("both modprobe and modprobe-blacklist bring it" in line for line in both)
