"""The order of versions, by the examples of Debian Policy 5.6.12 and deb-version(7)."""

from __future__ import annotations

import itertools

import pytest

from fuel_image.archive.version import satisfies, sort_key

ASCENDING = [
    "~~",
    "~~a",
    "~",
    "0~~20181009-2",
    "0~1",
    "0-0~1",
    "0",
    "0-0.1",
    "0-11",
    "0a",
    "0.9~rc1-1",
    "0.9-1",
    "1.0~beta1~svn1245",
    "1.0~beta1",
    "1.0",
    "1.0-1~bpo1",
    "1.0-1",
    "1.0-1ubuntu1",
    "1.0-1+deb12u1",
    "1.0a",
    "1.0+git",
    "1.2",
    "1.10",
    "1:0.1",
    "2:0.0.1",
]


@pytest.mark.parametrize(("lower", "higher"), list(itertools.combinations(ASCENDING, 2)))
def test_order(lower: str, higher: str) -> None:
    assert sort_key(lower) < sort_key(higher)


@pytest.mark.parametrize(("one", "other"), [("1.0", "1.00"), ("0:1", "1"), ("1.0-0", "1.0"), ("1.", "1.0")])
def test_equality(one: str, other: str) -> None:
    assert sort_key(one) == sort_key(other)


def test_numbers_of_any_length() -> None:
    assert sort_key("1" * 6000) < sort_key("2" * 6000) < sort_key("1" * 6001)


@pytest.mark.parametrize(
    ("version", "relation", "wanted", "holds"),
    [
        ("1", "", "", True),
        ("1", ">=", "1", True),
        ("1", ">>", "1", False),
        ("1", "<<", "2", True),
        ("1", "=", "1-0", True),
        ("1", "<", "1", True),
        ("1", ">", "1", True),
    ],
)
def test_relations(version: str, relation: str, wanted: str, holds: bool) -> None:
    assert satisfies(version, relation, wanted) is holds
