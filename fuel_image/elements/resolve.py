"""Which elements a request takes, and in which order.

Owns the following of dependencies, of names that another element provides, and the order that comes of them. It must
not read a file.

diskimage-builder gives the order of a Python set, which is another one in each run, and meets an element that another
one provides or does not meet it, as its queue happens to go. Here the result is the same each time: what is provided is
never taken itself, wherever the one who provides it comes in; dependencies come before those who need them, and the
rest is in the order of the names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches

from fuel_image.elements.element import Element, Library
from fuel_image.errors import ElementsError, Problem

OPERATING_SYSTEM = "operating-system"
"""The name that one element of every image provides."""
_ASKED_FOR = ""
"""Who needs an element that no other element needs."""


def resolved(wanted: Sequence[str], library: Library, *, whole: bool = True) -> tuple[Element, ...]:
    """Return the elements *wanted* with all that they need, each behind those that it needs.

    Raises ElementsError with every problem: an element that is not there, a name that two provide, one that is asked
    for although another provides it, and, where they are to make a *whole* image, that none is an operating system.
    """
    needed_by, provided_by = _expanded(wanted, library)
    problems = [
        *_missing(needed_by, library),
        *_provided_twice(provided_by),
        *_asked_for_and_provided(wanted, provided_by),
    ]
    if whole and OPERATING_SYSTEM not in provided_by:
        choice = ", ".join(library.providers(OPERATING_SYSTEM)) or "none that is on the path"
        problems.append(Problem(OPERATING_SYSTEM, f"no element provides it; take one of: {choice}"))
    if problems:
        raise ElementsError(problems)
    return tuple(_ordered(needed_by, provided_by, library))


def closure(name: str, library: Library) -> tuple[Element, ...]:
    """Return an element with what it needs of what is there, for those who look at it without building."""
    needed_by, provided_by = _expanded([name], library)
    return tuple(_ordered(needed_by, provided_by, library))


_NeededBy = dict[str, list[str]]
_ProvidedBy = dict[str, list[str]]


def _expanded(wanted: Sequence[str], library: Library) -> tuple[_NeededBy, _ProvidedBy]:
    """Return by the name of each element who needs it, and by each name that is provided who provides it.

    Who provides a name may be found late, and what was found by way of that name is then not needed: it is looked for
    again from the beginning, with what is known, until nothing new is.
    """
    provided: set[str] = set()
    while True:
        needed_by = _needed(wanted, provided, library)
        provided_by: _ProvidedBy = {}
        for name in sorted(needed_by):
            for other in library.elements[name].provides if name in library.elements else ():
                provided_by.setdefault(other, []).append(name)
        if provided_by.keys() <= provided:
            return needed_by, provided_by
        provided |= provided_by.keys()


def _needed(wanted: Sequence[str], provided: set[str], library: Library) -> _NeededBy:
    needed_by: _NeededBy = {}
    waiting = [(name, _ASKED_FOR) for name in dict.fromkeys(wanted)]
    while waiting:
        name, by = waiting.pop(0)
        if name in provided:
            continue
        if name in needed_by:
            needed_by[name].append(by)
            continue
        needed_by[name] = [by]
        if name in library.elements:
            waiting += [(other, name) for other in library.elements[name].dependencies]
    return needed_by


def _missing(needed_by: _NeededBy, library: Library) -> Iterator[Problem]:
    for name, needing in needed_by.items():
        if name in library.elements:
            continue
        who = ", ".join(f"needed by {by}" if by else "asked for" for by in needing)
        providers = library.providers(name)
        close = get_close_matches(name, library.elements, 1)
        if providers:
            hint = f"; provided by {', '.join(providers)}: take one of them"
        else:
            hint = f"; is {close[0]} meant?" if close else ""
        yield Problem(name, f"there is no such element ({who}){hint}")


def _provided_twice(provided_by: _ProvidedBy) -> Iterator[Problem]:
    for name, providers in sorted(provided_by.items()):
        if len(providers) > 1:
            yield Problem(name, f"provided by more than one element: {', '.join(providers)}; only one can be taken")


def _asked_for_and_provided(wanted: Sequence[str], provided_by: _ProvidedBy) -> Iterator[Problem]:
    for name in dict.fromkeys(wanted):
        if name in provided_by:
            yield Problem(name, f"asked for, and provided by {', '.join(provided_by[name])}: leave one of them out")


def _ordered(needed_by: _NeededBy, provided_by: _ProvidedBy, library: Library) -> Iterator[Element]:
    """Give the elements, dependencies first; a circle is cut where it is met."""
    met: set[str] = set()
    for name in sorted(needed_by):
        yield from _behind_its_own(name, met, provided_by, library)


def _behind_its_own(
    start: str, met: set[str], provided_by: Mapping[str, Sequence[str]], library: Library
) -> Iterator[Element]:
    waiting = [(start, False)]  # a stack of our own: chains may be longer than Python's
    while waiting:
        name, done = waiting.pop()
        if done:
            yield library.elements[name]
            continue
        if name in met or name not in library.elements:
            continue
        met.add(name)
        waiting.append((name, True))
        real = (one for other in library.elements[name].dependencies for one in provided_by.get(other, [other]))
        waiting += [(other, False) for other in sorted(real, reverse=True)]
