"""The man page tells all commands, options and settings that there are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from fuel_image import document, settings
from fuel_image.cli import COMMANDS, main

from ..parsers import actions, options, parsers

PAGE = (Path(__file__).parents[2] / "docs/fuel-image.1").read_text(encoding="utf-8")
DEFAULTS = {name: rule["default"] for name, rule in document.schema(document.SETTINGS)["properties"].items()}


def section(title: str) -> str:
    return PAGE.partition(f"\n.Sh {title}\n")[2].partition("\n.Sh ")[0]


def synopses() -> dict[str, set[str]]:
    """Return the options of each command by its words."""
    found: dict[str, set[str]] = {}
    for block in section("SYNOPSIS").split(".Nm\n")[1:]:
        words = re.search(r"(?m)^\.Cm (.*)", block)
        flags = re.findall(r"(?m)^\.(?:Op )?Fl -([a-z-]+)", block)
        found.setdefault(words[1] if words else "", set()).update(f"--{flag}" for flag in flags)
    return found


@pytest.mark.parametrize("words", [words for words, parser in parsers().items() if not actions(parser)])
def test_the_synopsis(words: str) -> None:
    assert synopses()[words] | {"--help"} == options(parsers()[words])


def test_each_command_and_option_is_explained_once() -> None:
    commands = re.findall(r"(?m)^\.It Cm (.*)", section("COMMANDS"))
    assert commands == [words for words in synopses() if words]
    assert {words.split()[0] for words in commands} == set(COMMANDS)
    explained = re.findall(r"(?m)^\.It (?:Fl h , )?Fl -([a-z-]+)", section("OPTIONS"))
    assert explained == sorted(set(explained))
    assert {f"--{name}" for name in explained} == set().union(*synopses().values())


def test_the_settings() -> None:
    shown = re.findall(r'(?m)^\.It Ic "(.*)"', section("CONFIGURATION"))
    assert [yaml.safe_load(line) for line in shown] == [{name: value} for name, value in DEFAULTS.items()]


def test_the_request() -> None:
    (request,) = re.findall(r"(?ms)^(\{\n.*?^\})", PAGE)
    assert main(["--dry-run", "--strict", request]) == 0


def test_the_files() -> None:
    files = section("FILES")
    assert {str(settings.FILE), DEFAULTS["work_dir"], DEFAULTS["cache_dir"]} <= set(re.findall(r"Pa (\S+)", files))
