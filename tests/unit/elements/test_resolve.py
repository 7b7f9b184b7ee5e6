"""Which elements are taken, and in which order."""

from __future__ import annotations

import pytest

from fuel_image.elements.element import Library
from fuel_image.elements.resolve import closure, resolved
from fuel_image.errors import ElementsError

from .making import element, library

SYSTEM = element("debian", "base", "operating-system")
BASE = element("base")


def names(wanted: str, there: Library) -> list[str]:
    return [one.name for one in resolved(wanted.split(), there)]


def problems(wanted: str, there: Library) -> list[str]:
    with pytest.raises(ElementsError) as caught:
        resolved(wanted.split(), there)
    return [str(problem) for problem in caught.value.problems]


def test_what_is_needed_comes_first_and_the_rest_by_name() -> None:
    there = library(SYSTEM, BASE, element("z", "y"), element("y"), element("a", "z debian"))
    assert names("a", there) == ["base", "debian", "y", "z", "a"]
    assert names("z a debian z", there) == names("a z debian", there)


def test_what_somebody_provides_is_not_taken() -> None:
    there = library(SYSTEM, BASE, element("operating-system", "nowhere"), element("a", "operating-system"))
    assert names("a debian", there) == ["base", "debian", "a"]


def test_a_provider_that_comes_late_counts_all_the_same() -> None:
    """What only the element that is not taken needs is not taken either."""
    late = element("late", "", "virtual")
    there = library(SYSTEM, BASE, element("virtual", "only-it"), element("only-it"), element("a", "virtual"), late)
    assert names("a late debian", there) == names("late a debian", there) == ["late", "a", "base", "debian"]


def test_a_circle_is_no_error() -> None:
    there = library(SYSTEM, BASE, element("a", "b"), element("b", "c"), element("c", "a"))
    assert names("b debian", there) == ["c", "b", "a", "base", "debian"]


def test_a_long_chain() -> None:
    chain = [element(f"e{number}", f"e{number + 1}") for number in range(5000)]
    there = library(SYSTEM, BASE, *chain, element("e5000"))
    assert len(names("e0 debian", there)) == 5003


def test_all_problems_at_once() -> None:
    there = library(SYSTEM, BASE, element("fedora", "", "operating-system"), element("growroot", "nowhere"))
    assert problems("growrot growroot debian fedora operating-system", there) == [
        "growrot: there is no such element (asked for); is growroot meant?",
        "nowhere: there is no such element (needed by growroot)",
        "operating-system: provided by more than one element: debian, fedora; only one can be taken",
        "operating-system: asked for, and provided by debian, fedora: leave one of them out",
    ]


def test_who_would_provide_what_is_missing() -> None:
    there = library(SYSTEM, BASE, element("vm", "block-device"), element("mbr", "", "block-device"))
    assert problems("vm base", there) == [
        "block-device: there is no such element (needed by vm); provided by mbr: take one of them",
        "operating-system: no element provides it; take one of: debian",
    ]
    assert problems("base", library(BASE)) == [
        "operating-system: no element provides it; take one of: none that is on the path"
    ]


def test_a_closure_is_of_what_is_there() -> None:
    there = library(BASE, element("a", "base nowhere"))
    assert [one.name for one in closure("a", there)] == ["base", "a"]
