"""An element: a directory of files that change a tree, and what it says of itself.

Owns the finding of elements on a path of directories, and the reading of ``element-deps`` and ``element-provides``.
What they mean together is ``resolve.py``'s. It must not run anything. The rules are those of diskimage-builder 3.43,
whose elements are to be taken as they are: each directory below one of the path is an element, named as it is once
links are followed, and the first of a name counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fuel_image.errors import ElementsError, Problem

OWN = Path(__file__).parent / "own"
"""The elements that come with the program; those of every other directory of a path count before them."""
_DEPENDENCIES, _PROVIDES = "element-deps", "element-provides"
_NO_ELEMENT = "__pycache__"
_MOST_BYTES = 1 << 20
"""How long a list of names may be."""


@dataclass(frozen=True)
class Element:
    """The element in *directory*; *dependencies* are the names that it needs, *provides* those that it stands for."""

    name: str
    directory: Path
    dependencies: tuple[str, ...] = ()
    provides: tuple[str, ...] = ()


@dataclass(frozen=True)
class Library:
    """All elements on a path by their names, and by name those that an earlier one of the path hides."""

    elements: Mapping[str, Element]
    hidden: Mapping[str, tuple[Element, ...]] = field(default_factory=dict)

    def providers(self, name: str) -> tuple[str, ...]:
        """Return the names of the elements that say that they provide *name*."""
        return tuple(sorted(one.name for one in self.elements.values() if name in one.provides))


def library(path: Sequence[Path]) -> Library:
    """Return the elements below the directories of *path*, of which an earlier one counts before a later one.

    Raises ElementsError with every directory and file of it that cannot be read.
    """
    problems: list[Problem] = []
    elements: dict[str, Element] = {}
    hidden: dict[str, tuple[Element, ...]] = {}
    for directory in dict.fromkeys(path):
        for one in _below(directory, problems):
            if one.name in elements:
                hidden[one.name] = (*hidden.get(one.name, ()), one)
            else:
                elements[one.name] = one
    if problems:
        raise ElementsError(problems)
    return Library(elements, hidden)


def _below(directory: Path, problems: list[Problem]) -> Iterator[Element]:
    try:
        entries = sorted(entry.resolve() for entry in directory.iterdir() if entry.is_dir())
    except OSError as error:
        problems.append(Problem(str(directory), f"no directory of elements: {error.strerror}"))
        return
    for entry in entries:
        if entry.name == _NO_ELEMENT:
            continue
        try:
            yield Element(entry.name, entry, _names(entry / _DEPENDENCIES), _names(entry / _PROVIDES))
        except (OSError, UnicodeDecodeError) as error:
            problems.append(Problem(str(entry), f"reading {_DEPENDENCIES} and {_PROVIDES}: {error}"))


def _names(file: Path) -> tuple[str, ...]:
    """Return the names in a file, one on a line, sorted; none if there is no such file."""
    if not file.exists():
        return ()
    if not file.is_file():  # to open a pipe would wait for ever
        raise OSError(f"{file.name} is no file")
    with file.open("rb") as opened:
        content = opened.read(_MOST_BYTES + 1)
    if len(content) > _MOST_BYTES:
        raise OSError(f"{file.name} has more than {_MOST_BYTES:,} bytes")
    return tuple(sorted({line.strip() for line in content.decode("utf-8").splitlines() if line.strip()}))
