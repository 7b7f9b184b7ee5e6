"""What bash offers on TAB is what the command line accepts."""

from __future__ import annotations

from pathlib import Path

import pytest

from fuel_image.cli import COMMANDS

from ..parsers import actions, options, parsers
from .images import output_of

COMPLETION = Path(__file__).parents[2] / "rpm/fuel-image.bash"
_ASK = """
source "$0"
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_fuel_image
printf '%s\\n' "${COMPREPLY[@]}"
"""


def offered(*words: str) -> set[str]:
    """Return what bash offers for the last of *words*; nothing means the names of files."""
    return set(output_of("bash", "-eu", "-c", _ASK, COMPLETION, "fuel-image", *words).split())


@pytest.mark.parametrize("command", parsers())
def test_options(command: str) -> None:
    assert offered(*command.split(), "--") == options(parsers()[command])
    assert offered(*command.split(), "--no-such-option") == set()


@pytest.mark.parametrize("command", [words for words, parser in parsers().items() if actions(parser)])
def test_actions(command: str) -> None:
    assert offered(command, "") == actions(parsers()[command])


def test_commands() -> None:
    assert offered("") == set(COMMANDS)
    assert offered("sa") == {"sample"}
    assert offered("--strict", "") == offered("sample", "--output", "") == set()


def test_files_are_left_to_readline() -> None:
    said = output_of("bash", "-c", 'source "$0"; complete -p fuel-image', COMPLETION)
    assert said == "complete -o default -F _fuel_image fuel-image\n"
