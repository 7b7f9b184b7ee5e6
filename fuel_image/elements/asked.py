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
from fuel_image.elements.hooks import PHASES, Phase, entries, first_phase, shared_twice
from fuel_image.elements.resolve import resolved
from fuel_image.errors import BuildError, ElementsError, Problem, RequestError, hide
from fuel_image.suites import SUITES

_SECRET = re.compile("PASS|SECRET|TOKEN|KEY|CREDENTIAL")
"""In the names of variables whose values are shown nowhere."""
_CHUNK_BYTES = 1 << 20
_ROUNDS = 200_000
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True)
class Chosen:
    """The *elements* of an image, each behind those that it needs, and the variables that its hooks are given.

    *packages* are what the element that is the operating system brings by itself; *digests* are, of each element, that
    of all its files.
    """

    elements: tuple[Element, ...] = ()
    environment: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    packages: tuple[str, ...] = ()
    digests: tuple[str, ...] = ()
    environment_digest: str = ""

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

    def new_in_phase(self, phase: str) -> tuple[Element, ...]:
        """Return the elements that take part when a phase runs, and took part in none before it."""
        names = [one.name for one in self.phases]
        before = self.in_phase(names[names.index(phase) - 1]) if names.index(phase) else ()
        return tuple(one for one in self.in_phase(phase) if one not in before)

    def check_unchanged(self, phase: str) -> None:
        """Raise BuildError if an element that takes part in a phase is not what it was when it was first read."""
        digests = dict(zip(self.elements, self.digests))
        for one in self.in_phase(phase):
            if _files_digest(one.directory) != digests[one]:
                raise BuildError(f"running hooks: the element {one.name} changed meanwhile", advice="build again")

    def inputs(self, phase: str) -> Mapping[str, str]:
        """Return what a phase depends on: the digest of each element that takes part, and that of the variables."""
        digests = dict(zip((one.name for one in self.elements), self.digests))
        taking_part = {f"element {one.name}": digests[one.name] for one in self.in_phase(phase)}
        return {**taking_part, "all": " ".join(digests), "environment": self.environment_digest}


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
        found = list(shared_twice(elements))
        digests = tuple(_files_digest(one.directory) for one in elements)
    except ElementsError as error:
        raise RequestError([Problem("$.elements", str(one)) for one in error.problems]) from None
    except OSError as error:
        raise RequestError([Problem("$.elements", f"reading {error.filename}: {error.strerror}")]) from None
    found += [Problem(one.name, systems.REFUSED[one.name]) for one in elements if one.name in systems.REFUSED]
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
    hide(value for name, value in variables if _SECRET.search(name))
    return Chosen(elements, variables, system.packages, digests, _slow_digest(variables))


def _files_digest(directory: Path) -> str:
    """Return a digest of all that is below a directory, with names, modes and the targets of links."""
    running = hashlib.sha256()
    for path in entries(directory):
        found = path.stat() if path.parent == directory else path.lstat()
        running.update(f"{path.relative_to(directory)}\0{found.st_mode:o}\0".encode("utf-8", "surrogateescape"))
        if path.is_symlink() and path.parent != directory:
            running.update(os.fsencode(os.readlink(path)) + b"\0")
        elif path.is_file():
            running.update(_content_digest(path))
        running.update(b"\0")
    return running.hexdigest()


def _content_digest(path: Path) -> bytes:
    content = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            content.update(chunk)
    return content.digest()


def _slow_digest(environment: tuple[tuple[str, str], ...]) -> str:
    """Return a digest of what may be secret and stands in the records of layers: it is slow to try what it is of."""
    text = json.dumps(environment).encode()
    return hashlib.pbkdf2_hmac("sha256", text, b"environment", _ROUNDS).hex() if environment else ""
