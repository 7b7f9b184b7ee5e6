"""``fuel-image elements``: what elements there are, what they need, and what is wrong with them."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from fuel_image.commands.table import aligned
from fuel_image.elements import lint
from fuel_image.elements.element import OWN, Element, Library, library
from fuel_image.elements.resolve import resolved
from fuel_image.errors import EXIT_DONE, EXIT_FAILED
from fuel_image.printable import legible

ABOUT = "list diskimage-builder's elements, show what they need, or look for mistakes in them"
_PATH = "ELEMENTS_PATH"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="print the elements on the path, what they provide and what they need")
    listing.set_defaults(act=_list)
    tree = actions.add_parser("tree", help="show what elements need, as a tree, and the order in which they are taken")
    tree.set_defaults(act=_tree)
    tree.add_argument("names", nargs="+", metavar="ELEMENT", help="an element")
    check = actions.add_parser("lint", help="look for hooks that do not run, that two bring, and for lost variables")
    check.set_defaults(act=_lint)
    check.add_argument("names", nargs="*", metavar="ELEMENT", help="with all that it needs; without, each of the path")
    for action in (listing, tree, check):
        action.add_argument(
            "--elements-path",
            action="append",
            default=[],
            metavar="DIR",
            help=f"where elements are, the first counts; before those of {_PATH}",
        )


def run(options: argparse.Namespace) -> int:
    """Do what the action says."""
    code: int = options.act(options, _library(options.elements_path))
    return code


def _library(given: Sequence[str]) -> Library:
    path = [Path(one) for one in (*given, *os.environ.get(_PATH, "").split(":")) if one]
    return library([*path, OWN])


def _list(_options: argparse.Namespace, there: Library) -> int:
    rows = [("element", "provides", "needs", "directory")]
    for name, one in sorted(there.elements.items()):
        rows.append((name, " ".join(one.provides) or "-", " ".join(one.dependencies) or "-", str(one.directory)))
    print(legible("\n".join(aligned(rows))))
    for name, others in sorted(there.hidden.items()):
        for other in others:
            print(legible(f"{name}: {other.directory} is hidden by {there.elements[name].directory}"))
    return EXIT_DONE


def _tree(options: argparse.Namespace, there: Library) -> int:
    elements = resolved(options.names, there, whole=False)
    taken = {one.name: one for one in elements}
    providers = {name: one.name for one in elements for name in one.provides}
    print(legible("\n".join(_branches(options.names, taken, providers))))
    print(legible(f"order: {' '.join(taken)}"))
    return EXIT_DONE


def _branches(names: Sequence[str], taken: Mapping[str, Element], providers: Mapping[str, str]) -> Iterator[str]:
    """Give a line for each element, below the one that needs it; what an element needs is shown once."""
    shown: set[str] = set()
    waiting = [(name, 0) for name in reversed(names)]
    while waiting:
        name, depth = waiting.pop()
        real = providers.get(name, name)
        provides = taken[real].provides
        notes = [f"as {name}"] if real != name else [f"provides {' '.join(provides)}"] if provides else []
        if real in shown and taken[real].dependencies:
            notes.append("see above")
        yield "  " * depth + real + (f" ({', '.join(notes)})" if notes else "")
        if real not in shown:
            shown.add(real)
            waiting += [(other, depth + 1) for other in reversed(taken[real].dependencies)]


def _lint(options: argparse.Namespace, there: Library) -> int:
    if options.names:
        found = list(lint.problems(resolved(options.names, there, whole=False), there))
    else:  # no image has them all: what they share is not to be compared
        found = [problem for _, one in sorted(there.elements.items()) for problem in lint.problems([one], there)]
    for problem in found:
        print(legible(str(problem)))
    return EXIT_FAILED if found else EXIT_DONE
