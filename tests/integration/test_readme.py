"""Every example of the README is run, and what it lists is what there is."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import yaml

from fuel_image.cli import COMMANDS, main

from .images import ImageSet

README = (Path(__file__).parents[2] / "README.rst").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    found = re.findall(rf"(?m)^\.\. code-block:: {language}\n\n((?:    .*\n|\n)+)", README)
    return [textwrap.dedent(block) for block in found]


@pytest.mark.parametrize("block", blocks("json"))
def test_requests(block: str) -> None:
    assert main(["--dry-run", "--strict", block]) == 0


@pytest.mark.parametrize("block", blocks("sh"))
def test_commands(block: str, cache_dir: Path, tmp_path: Path) -> None:
    """The default set of the host's own release, by the commands of the README, with another output."""
    program = f"{sys.executable} -m fuel_image"
    script = block.replace("fuel-image ", f"{program} ").replace(" sample ", f" sample --output {tmp_path}/output ")
    (tmp_path / "cache").symlink_to(cache_dir)
    ended = subprocess.run(
        ["sh", "-eu", "-c", script],
        check=False,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert ended.returncode == 0, ended.stdout
    (metadata,) = (tmp_path / "output").glob("*.yaml")
    installed = {one["name"] for one in ImageSet(metadata).record["installed"]}
    assert {"cloud-init", "openssh-server", "lvm2", "mdadm", "initramfs-tools"} <= installed
    assert "not in these repositories" not in ended.stdout
    assert "Making images" in (tmp_path / "build.log").read_text()


def test_the_metadata_s_fields(debian: ImageSet) -> None:
    (block,) = blocks("yaml")
    shown = yaml.safe_load(re.sub(r"\.\.\.", "", block))
    assert list(shown) == list(debian.record)
    for name in ("os", "repos", "images", "installed"):
        one, other = (value[name] if name == "os" else value[name][0] for value in (shown, debian.record))
        assert list(one) == list(other), name


def test_the_fields_of_a_request() -> None:
    shown = set(re.findall(r"``(?:….)?(\w+)``", README))
    schema = json.loads((Path(__file__).parents[2] / "fuel_image/request.schema.json").read_text())
    rules = schema["properties"]
    fields = set(rules)
    fields |= set(rules["image_data"]["additionalProperties"]["properties"])
    fields |= set(rules["repos"]["items"]["properties"]) - {"name", "type"}
    fields |= set(rules["services"]["properties"])
    for name in ("files", "users", "scripts"):
        fields |= set(rules[name]["items"]["properties"])
    assert fields <= shown


def test_the_options() -> None:
    printed = "".join(
        subprocess.run(
            [sys.executable, "-m", "fuel_image", *command, "--help"],
            check=True,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "COLUMNS": "200"},
        ).stdout
        for command in ((), ("boot",))
    )
    options = set(re.findall(r"^  (--[a-z-]+)", printed, re.MULTILINE)) - {"--version"}
    assert options == set(re.findall(r"^``(--[a-z-]+)", README, re.MULTILINE))


def test_the_settings() -> None:
    schema = json.loads((Path(__file__).parents[2] / "fuel_image/settings.schema.json").read_text())
    (table,) = re.findall(r"(?s)\nsetting .*?\n\n", README)
    shown = dict(re.findall(r"(?m)^``(\w+)`` +.*?(?:\((?:``)?([^()`]+)(?:``)?\).*)?$", table))
    assert list(shown) == list(schema["properties"])
    for name in ("work_dir", "cache_dir", "layers_limit", "packages_limit", "connections"):
        assert shown[name] == str(schema["properties"][name]["default"])


def test_the_commands() -> None:
    for name in COMMANDS:
        assert f"fuel-image {name}" in README
