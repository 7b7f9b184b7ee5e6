"""The elements that a request asks for.

Owns the turning of ``elements``, ``elements_path`` and ``environment`` of a request into the elements themselves, in
their order, and what stands in their way. The elements are read here, once: what names a layer is what was read then.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fuel_image.elements import systems
from fuel_image.elements.element import OWN, Element, library
from fuel_image.elements.hooks import PHASES, Phase, first_phase, shared_twice
from fuel_image.elements.resolve import resolved
from fuel_image.errors import ElementsError, Problem, RequestError
from fuel_image.suites import SUITES

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True)
class Chosen:
    """The *elements* of an image, each behind those that it needs, and the variables that its hooks are given.

    *packages* are what the element that is the operating system brings by itself.
    """

    elements: tuple[Element, ...] = ()
    environment: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    packages: tuple[str, ...] = ()
    digests: tuple[str, ...] = ()
    """Of each element, that of every file of it."""

    @property
    def phases(self) -> tuple[Phase, ...]:
        """The phases in which anything runs, and the last, which tidies up."""
        directories = {path.name for one in self.elements for path in one.directory.glob("*.d")}
        last = PHASES[-1]
        return tuple(one for one in PHASES if self.elements and (f"{one.name}.d" in directories or one == last))

    def in_phase(self, phase: str) -> tuple[Element, ...]:
        """Return the elements that take part when a phase runs: in it, or in one before it."""
        names = [one.name for one in PHASES]
        return tuple(one for one in self.elements if first_phase(one) in names[: names.index(phase) + 1])

    def inputs(self, phase: str) -> Mapping[str, str]:
        """Return what a phase depends on: the digest of each element that takes part, and that of the variables."""
        digests = dict(zip((one.name for one in self.elements), self.digests))
        taking_part = {f"element {one.name}": digests[one.name] for one in self.in_phase(phase)}
        return {**taking_part, "all": " ".join(digests), "environment": _digest(self.environment)}


def problems(document: Mapping[str, Any]) -> Iterator[Problem]:
    """Find what is wrong with what a request says of elements, before any is read."""
    if "elements" not in document:
        for key in ("elements_path", "environment"):
            if key in document:
                yield Problem(f"$.{key}", "is for elements, and the request names none")
    for index, directory in enumerate(document.get("elements_path", ())):
        if not os.path.isabs(directory):
            yield Problem(f"$.elements_path[{index}]", f"{directory} is no absolute path")
    for name, value in document.get("environment", {}).items():
        if not _VARIABLE.fullmatch(name) or "\0" in value:
            yield Problem("$.environment", f"{name} is no name of a variable, or has a value that none can have")


def typed(document: Mapping[str, Any]) -> Chosen:
    """Return the elements that a request, in which no problem was found, asks for. Raises RequestError."""
    wanted = document.get("elements", ())
    if not wanted:
        return Chosen()
    try:
        there = library([*(Path(one) for one in document.get("elements_path", ())), OWN])
        elements = resolved(wanted, there)
    except ElementsError as error:
        raise RequestError([Problem("$.elements", str(one)) for one in error.problems]) from None
    found = list(shared_twice(elements))
    system = systems.system_of(elements)
    suite = SUITES.get(document["codename"])
    if system is None:
        known = ", ".join(sorted(systems.SYSTEMS))
        found.append(Problem("operating-system", f"is provided by another element than {known}, which are supported"))
    elif suite is not None and suite.distribution != system.distribution:
        message = f"makes {system.distribution}, and the codename {suite.name} is of {suite.distribution}"
        found.append(Problem(system.element, message))
    if found or system is None:
        raise RequestError([Problem("$.elements", str(one)) for one in found])
    variables = tuple(sorted(document.get("environment", {}).items()))
    return Chosen(elements, variables, system.packages, tuple(_files_digest(one.directory) for one in elements))


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()


def _files_digest(directory: Path) -> str:
    """Return a digest of all files below a directory, with their names, modes and the targets of links."""
    running = hashlib.sha256()
    for top, directories, names in os.walk(directory):
        directories.sort()
        for name in sorted([*names, *(one for one in directories if os.path.islink(os.path.join(top, one)))]):
            path = Path(top, name)
            found = path.lstat()
            running.update(f"{path.relative_to(directory)}\0{found.st_mode:o}\0".encode("utf-8", "surrogateescape"))
            content = os.fsencode(os.readlink(path)) if path.is_symlink() else path.read_bytes()
            running.update(hashlib.sha256(content).digest())
    return running.hexdigest()
