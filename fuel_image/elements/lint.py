"""What is wrong with elements, seen without building anything.

Owns the rules that ``fuel-image elements lint`` knows. Each is about something that a build would do silently, or late
and without saying whose fault it is. It must not run anything of an element.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator, Sequence
from difflib import get_close_matches

from fuel_image.elements.element import Element, Library
from fuel_image.elements.hooks import ENVIRONMENT, PHASES, Hook, Phase, files_of, shared_twice, why_not
from fuel_image.elements.resolve import closure
from fuel_image.errors import Problem

_LARGEST_BYTES = 1 << 20
_SHELL = re.compile(r"#!\s*\S*?(ba|da)?sh\b|#!\s*/usr/bin/env\s+(ba)?sh\b")
_COMMENT = re.compile(r"(^|\s)#.*$", re.MULTILINE)
_QUOTED_HERE = re.compile(r"<<-?\s*(['\"\\])(\w+)['\"]?.*?^\s*\2\s*$", re.MULTILINE | re.DOTALL)
_USED = re.compile(r"\$(?:(DIB_\w+)|\{(?:[#!])?(DIB_\w+)(?![\w:+\-=?])[^}]*\})")
_MADE = re.compile(r"\b(DIB_\w+)\+?=|\bfor\s+(DIB_\w+)\b|\bread\b[^|;\n]*\b(DIB_\w+)|\bdeclare\b[^;\n]*\b(DIB_\w+)")
_TESTED = re.compile(r"-v\s+(DIB_\w+)|\$\{(DIB_\w+):?[-=?+]")

GIVEN = frozenset(
    f"DIB_{name}"
    for name in (
        *("ARGS", "BOOT_LABEL", "CHECKSUM", "DEBUG_TRACE", "DEFAULT_INSTALLTYPE", "DISTRIBUTION_MIRROR", "ENV"),
        *("IMAGE_CACHE", "LOCKFILES", "MIN_TMPFS", "MOUNTPOINTS", "NO_TMPFS", "OFFLINE", "PYTHON_EXEC"),
        *("PYTHON_VERSION", "RELEASE", "ROOT_FSTYPE", "ROOT_LABEL", "INIT_SYSTEM"),
    )
)
"""The variables that every hook is given; the last by the element that is the operating system."""

_OF_THE_HOST = re.compile(r"\$\{?(TMP_MOUNT_PATH|TMP_BUILD_DIR|TMP_HOOKS_PATH|TMP_IMAGE_DIR|TARGET_ROOT)\b")
"""Variables that name a place of the host: there is no such place in the tree."""
_HOST_WRITTEN = re.compile(r"(?:(?<![<&\d])>>?|\btee(?:\s+-a)?)\s*(/(?:etc|usr|var|lib|boot|opt|root|srv)/\S+)")


def problems(elements: Sequence[Element], library: Library) -> Iterator[Problem]:
    """Find what is wrong with each of *elements*, and with all of them together."""
    for element in elements:
        yield from _odd_directories(element)
        yield from _hooks(element, library)
    yield from shared_twice(elements)


def _odd_directories(element: Element) -> Iterator[Problem]:
    """Find directories whose names are nearly those of phases."""
    known = [f"{phase.name}.d" for phase in PHASES] + [f"{ENVIRONMENT}.d"]
    for path in sorted(element.directory.iterdir()):
        if path.is_dir() and path.name not in known and path.name.endswith(".d"):
            for close in get_close_matches(path.name, known, 1, 0.85):
                yield Problem(f"{element.name}/{path.name}", f"is no phase; is {close} meant?")


def _hooks(element: Element, library: Library) -> Iterator[Problem]:
    declared = _declared(closure(element.name, library) if element.name in library.elements else (element,))
    for phase in PHASES:
        for hook in files_of(element, phase.name):
            if not (reason := why_not(hook)):
                yield from _of_script(hook, phase, declared)
            elif _is_meant(hook, element):
                yield _problem(hook, reason)
    for hook in files_of(element, ENVIRONMENT):
        if reason := why_not(hook):
            yield _problem(hook, reason)


def _is_meant(hook: Hook, element: Element) -> bool:
    """Tell whether a file that does not run looks like one that should, and not like one that a hook copies."""
    looks = hook.name[0].isdigit() or bool(hook.path.stat().st_mode & stat.S_IXUSR)
    return looks and not any(
        hook.name in _text(other)
        for phase in PHASES
        for other in files_of(element, phase.name)
        if other != hook and not why_not(other)
    )


def _of_script(hook: Hook, phase: Phase, declared: frozenset[str]) -> Iterator[Problem]:
    text = _text(hook)
    if not _SHELL.match(text):
        return
    text = _QUOTED_HERE.sub("", _COMMENT.sub("", text))
    own = _names(_MADE, text) | _names(_TESTED, text)
    for name in sorted(_names(_USED, text) - declared - own - GIVEN):
        yield _problem(hook, f"uses {name}, which no environment.d of it or of what it needs declares")
    if phase.inside:
        for name in sorted(_names(_OF_THE_HOST, text)):
            yield _problem(hook, f"runs in the tree, and uses {name}, which names a place of the host")
    else:
        for path in sorted(_names(_HOST_WRITTEN, text)):
            yield _problem(hook, f"runs on the host, and writes to {path} there")


def _declared(elements: Sequence[Element]) -> frozenset[str]:
    """Return the variables that the files in environment.d of *elements* set or look at."""
    names: set[str] = set()
    for element in elements:
        for hook in files_of(element, ENVIRONMENT):
            text = _COMMENT.sub("", _text(hook))
            names |= _names(_MADE, text) | _names(_TESTED, text)
    return frozenset(names)


def _names(pattern: re.Pattern[str], text: str) -> set[str]:
    return {next(group for group in match.groups() if group) for match in pattern.finditer(text)}


def _text(hook: Hook) -> str:
    with hook.path.open("rb") as file:
        return file.read(_LARGEST_BYTES).decode("utf-8", "replace")


def _problem(hook: Hook, message: str) -> Problem:
    return Problem(f"{hook.element}/{hook.phase}.d/{hook.name}", message)
