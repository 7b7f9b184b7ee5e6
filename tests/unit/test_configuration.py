"""What the package sets on a host is what the program knows: the configuration, the log, the directories."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from fuel_image import document, settings

RPM = Path(__file__).parents[2] / "rpm"
SAMPLE = RPM / "fuel-image.yaml"
SETTINGS: dict[str, dict[str, Any]] = document.schema(document.SETTINGS)["properties"]
DEFAULTS = {name: rule["default"] for name, rule in SETTINGS.items()}


def test_it_shows_every_default() -> None:
    shown = re.findall(r"(?m)^#(\w+:.*)", SAMPLE.read_text())
    assert [yaml.safe_load(line) for line in shown] == [{name: value} for name, value in DEFAULTS.items()]


def test_it_gives_every_meaning() -> None:
    text = SAMPLE.read_text()
    for name, rule in SETTINGS.items():
        comment = text.partition(f"\n#{name}:")[0].rpartition("\n\n")[2]
        meaning = " ".join(line.lstrip("# ") for line in comment.splitlines())
        assert meaning.startswith(rule["description"].rstrip(".")), name


def test_it_sets_the_log_alone() -> None:
    log_file = "/var/log/fuel-agent-env-{cluster}.log"
    found = settings.effective(SAMPLE, {})
    assert {name: one.value for name, one in found.items()} == {**DEFAULTS, "log_file": log_file}
    assert log_file.replace("{cluster}", "*") in (RPM / "fuel-image.logrotate").read_text()


EXAMPLES = re.findall(r"(?m)^#   (\w+:.*(?:\n#     .*)*)", SAMPLE.read_text())


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: str(example).partition(":")[0])
def test_the_examples(example: str, tmp_path: Path) -> None:
    file = tmp_path / "fuel-image.yaml"
    file.write_text(example.replace("\n#   ", "\n"))
    assert any(one.origin == str(file) for one in settings.effective(file, {}).values())


def test_the_directories() -> None:
    """systemd-tmpfiles makes them as rpm does, and removes nothing in them by its age."""
    lines = re.findall(r"(?m)^d (\S+) +(\d+) root root (\S+)$", (RPM / "fuel-image.tmpfiles").read_text())
    packaged = re.findall(r"(?m)^%dir %attr\((\d+),root,root\) (\S+)", (RPM / "fuel-image.spec").read_text())
    assert lines == [(path, mode, "-") for mode, path in packaged]
    assert {path for path, _, _ in lines} == {DEFAULTS["work_dir"], DEFAULTS["cache_dir"]}
