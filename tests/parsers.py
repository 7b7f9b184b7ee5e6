"""The parsers of the command line, all of them, for tests that compare something with what can be typed."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from fuel_image.cli import COMMANDS, _parser


def parsers() -> dict[str, argparse.ArgumentParser]:
    """Return every parser by the words of its command; that of a build by none."""
    return {" ".join(words): parser for name in ("", *COMMANDS) for words, parser in _below((name,), _parser(name))}


def _below(
    words: tuple[str, ...], parser: argparse.ArgumentParser
) -> Iterator[tuple[tuple[str, ...], argparse.ArgumentParser]]:
    yield words, parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, child in action.choices.items():
                yield from _below((*words, name), child)


def options(parser: argparse.ArgumentParser) -> set[str]:
    """Return the long options of a parser."""
    return {name for action in parser._actions for name in action.option_strings if name.startswith("--")}


def actions(parser: argparse.ArgumentParser) -> set[str]:
    """Return the names of the commands below a parser."""
    return {name for one in parser._actions if isinstance(one, argparse._SubParsersAction) for name in one.choices}
