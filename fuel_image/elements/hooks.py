"""The hooks of elements: the programs that each phase of a build runs.

Owns the names and the order of the phases, which file of an element is a hook of which phase, and the order in which
the hooks of a phase run. It must not run one.

The rules are those of diskimage-builder's dib-run-parts: a hook is a file in the directory of its phase, executable,
with a name of letters, digits, dashes and underscores; hooks run in the order of the numbers with which their names
begin, and of their bytes. What keeps a file from being a hook keeps it silently there, and is said here. All elements
share one directory for each phase, so that no two may bring the same name.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from fuel_image.elements.element import Element
from fuel_image.errors import ElementsError, Problem


@dataclass(frozen=True)
class Phase:
    """A phase of a build; the hooks of it run *inside* the tree, or on the host."""

    name: str
    inside: bool


PHASES = (
    Phase("root", inside=False),
    Phase("extra-data", inside=False),
    Phase("pre-install", inside=True),
    Phase("install", inside=True),
    Phase("post-install", inside=True),
    Phase("post-root", inside=False),
    Phase("block-device", inside=False),
    Phase("pre-finalise", inside=False),
    Phase("finalise", inside=True),
    Phase("cleanup", inside=False),
)
"""The phases in their order."""

ENVIRONMENT = "environment"
"""The directory environment.d, whose files are read by bash before each phase."""

NOT_SHARED = ("tests", "__pycache__")
"""What of an element is its own, and not put together with what others bring."""
_SAY_NOTHING = ("README.rst", "README.md", "element-deps", "element-provides", "test-elements")
_HOOK_NAME = re.compile(r"[0-9A-Za-z_-]+")
_ENVIRONMENT_NAME = re.compile(r"[0-9A-Za-z_.-]+")
_NUMBER = re.compile(r"-?\d*\.?\d*")


@dataclass(frozen=True)
class Hook:
    """A file of an element in the directory of a *phase*."""

    element: str
    phase: str
    path: Path

    @property
    def name(self) -> str:
        """The name of the file."""
        return self.path.name


def in_order(hooks: Sequence[Hook]) -> list[Hook]:
    """Return the hooks of a phase in the order in which they run: that of ``LC_ALL=C sort -n``."""
    return sorted(hooks, key=lambda hook: (_number(hook.name), os.fsencode(hook.name)))


def _number(name: str) -> float:
    match = _NUMBER.match(name)
    try:
        return float(match.group()) if match else 0
    except ValueError:  # no number at all, or a dash or a dot alone
        return 0


def files_of(element: Element, phase: str) -> Iterator[Hook]:
    """Give the files of an element in the directory of a phase, be they hooks or not."""
    directory = element.directory / f"{phase}.d"
    if directory.is_dir():
        yield from (Hook(element.name, phase, path) for path in sorted(directory.iterdir()) if path.is_file())


def hooks_of(elements: Sequence[Element], phase: str) -> list[Hook]:
    """Return what runs in a phase, in its order."""
    return in_order([one for element in elements for one in files_of(element, phase) if not why_not(one)])


def name_objection(hook: Hook) -> str:
    """Say what about its name keeps a file from being run, or read; nothing if it is well."""
    if hook.phase == ENVIRONMENT:
        return "" if _ENVIRONMENT_NAME.fullmatch(hook.name) else "is not read: its name has an odd character"
    if not _HOOK_NAME.fullmatch(hook.name):
        odd = sorted(set(re.sub(r"[0-9A-Za-z_-]", "", hook.name)))
        return f"does not run: its name has {' '.join(map(repr, odd))}, and may have letters, digits, - and _ only"
    return ""


def why_not(hook: Hook) -> str:
    """Say what keeps a file from being run, or read; nothing if it is."""
    if objection := name_objection(hook):
        return objection
    executable = hook.phase == ENVIRONMENT or hook.path.stat().st_mode & stat.S_IXUSR
    return "" if executable else "does not run: it is not executable"


def first_phase(element: Element) -> str:
    """Return the phase from which on an element counts: its first with hooks, if hooks are all that it has.

    Files that are no hooks may be looked at in any phase, by hooks of other elements, too.
    """
    phases = {f"{phase.name}.d": phase.name for phase in PHASES}
    own = set()
    for path in element.directory.iterdir():
        if path.name in _SAY_NOTHING or path.name in NOT_SHARED:
            continue
        if path.name not in phases or not path.is_dir() or not all(entry.is_file() for entry in path.iterdir()):
            return PHASES[0].name
        own.add(phases[path.name])
    return next((phase.name for phase in PHASES if phase.name in own), PHASES[0].name)


def entries(top: Path) -> Iterator[Path]:
    """Give all that an element brings, in an order that is the same each time, directories before what they hold.

    Links at the top are followed, as diskimage-builder does; of what lies in a directory there, names with a leading
    dot are left out. Raises ElementsError for what is neither a file nor a directory nor a link.
    """
    for path in sorted(top.iterdir()):
        if path.name in NOT_SHARED or path.name.endswith(".pyc") or not path.exists():
            continue
        yield path
        if path.is_dir():
            yield from (one for entry in sorted(path.iterdir()) if entry.name[0] != "." for one in _whole(entry))
        elif not path.is_file():
            raise ElementsError([Problem(str(path), "is neither a file nor a directory")])


def _whole(path: Path) -> Iterator[Path]:
    yield path
    if path.is_symlink() or path.is_file():
        return
    if not path.is_dir():
        raise ElementsError([Problem(str(path), "is neither a file nor a directory nor a link")])
    for entry in sorted(path.iterdir()):
        yield from _whole(entry)


def shared_twice(elements: Sequence[Element]) -> Iterator[Problem]:
    """Find the files that more than one element brings to the same place of a directory that all share."""
    owners: dict[Path, str] = {}
    for element in elements:
        for path in entries(element.directory):
            place = path.relative_to(element.directory)
            if len(place.parts) != 2 or path.is_dir() or owners.setdefault(place, element.name) == element.name:
                continue
            yield Problem(str(place), f"both {owners[place]} and {element.name} bring it: {path}")
