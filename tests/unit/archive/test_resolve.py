"""The closure of the base set."""

from __future__ import annotations

import pytest

from fuel_image.archive import resolve
from fuel_image.errors import ResolveError

from .conftest import Maker, stanza


def names(opened: Maker, *stanzas: list[str]) -> list[str]:
    return [package.name for package in resolve.base(opened(*stanzas))]


def test_essential_required_apt_and_what_they_need(opened: Maker) -> None:
    texts = [
        stanza("apt", Depends="libapt (>= 2)"),
        stanza("libapt", "2"),
        stanza("base-files", Essential="yes", Pre_Depends="awk"),
        stanza("mawk", Provides="awk"),
        stanza("passwd", Priority="required"),
        stanza("vim"),
    ]
    assert names(opened, texts) == ["apt", "base-files", "libapt", "mawk", "passwd"]


def test_the_first_alternative_that_can_be_had_is_taken_unless_another_is_chosen_already(opened: Maker) -> None:
    texts = [
        stanza("apt", Depends="nowhere | b | c, d | e"),
        stanza("b"),
        stanza("c"),
        stanza("d"),
        stanza("e", Essential="yes"),
    ]
    assert names(opened, texts) == ["apt", "b", "e"]


def test_updates_are_in_the_base_from_the_start(opened: Maker) -> None:
    base = resolve.base(opened([stanza("apt", "1")], [stanza("apt", "1.1", Depends="new"), stanza("new")]))
    assert [(package.name, package.version) for package in base] == [("apt", "1.1"), ("new", "1")]


def test_only_the_first_repository_says_what_is_basic(opened: Maker) -> None:
    assert names(opened, [stanza("apt")], [stanza("plugin", Priority="required")]) == ["apt"]


def test_what_is_missing_is_named(opened: Maker) -> None:
    with pytest.raises(ResolveError, match=r"apt needs x \(>= 2\) \| y, which no repository holds"):
        names(opened, [stanza("apt", Depends="x (>= 2) | y"), stanza("x", "1")])
    with pytest.raises(ResolveError, match="no repository holds apt"):
        names(opened, [stanza("vim")])


def tail(opened: Maker, stanzas: list[str], base: list[str], *wishes: str, limit_bytes: int = 25) -> list[str]:
    """Return the small wishes at the end; every package has 10 bytes if it does not say otherwise."""
    repositories = opened(stanzas)
    there = [package for package in map(repositories.candidate, base) if package is not None]
    return [package.name for package in resolve.small_tail(repositories, there, wishes, limit_bytes)]


CHAIN = [stanza("a"), stanza("b", Depends="c"), stanza("c"), stanza("d", Depends="e, f"), stanza("e"), stanza("f")]


@pytest.mark.parametrize(
    ("wishes", "small"),
    [
        ([], []),
        (["a"], ["a"]),
        (["b"], ["b"]),
        (["d"], []),
        (["a", "b"], ["a", "b"]),
        (["b", "a"], ["b", "a"]),
        (["a", "d", "b"], ["b"]),
        (["a", "b", "d"], []),
        (["d", "a", "d"], ["a", "d"]),
        (["a", "a=1", "b"], ["b"]),
        (["a", "b", "a=1"], []),
        (["a/noble", "a:amd64", "a"], ["a"]),
        (["a", "unknown", "b"], ["b"]),
    ],
    ids=[
        "nothing",
        "one alone",
        "one with what it needs",
        "too much is needed",
        "all",
        "in their order",
        "a large one in the middle ends what was before",
        "a large one at the end leaves none",
        "a large one is small once it is there",
        "a version counts as large",
        "a version at the end leaves none",
        "so do a suite and an architecture",
        "so does an unknown name",
    ],
)
def test_the_small_wishes_at_the_end(wishes: list[str], small: list[str], opened: Maker) -> None:
    assert tail(opened, CHAIN, [], *wishes) == small


def test_what_is_there_already_takes_nothing(opened: Maker) -> None:
    assert tail(opened, CHAIN, ["e"], "d") == ["d"]
    assert tail(opened, CHAIN, ["e"], "e", "d") == ["e", "d"]


def test_what_a_large_one_brought_is_there_for_the_next(opened: Maker) -> None:
    assert tail(opened, [*CHAIN, stanza("g", Depends="d")], [], "d", "g") == ["g"]


def test_the_limit_is_of_each_and_is_small_itself(opened: Maker) -> None:
    texts = [stanza("a", Size="25"), stanza("b", Size="26")]
    assert tail(opened, texts, [], "a", "a") == ["a", "a"]
    assert tail(opened, texts, [], "b") == []
    assert tail(opened, [*CHAIN, *(stanza(name) for name in "xyz")], [], "x", "y", "z") == ["x", "y", "z"]


def test_a_wish_that_cannot_be_fulfilled_counts_as_large(opened: Maker) -> None:
    texts = [*CHAIN, stanza("broken", Depends="nowhere")]
    assert tail(opened, texts, [], "a", "broken", "b") == ["b"]
    assert tail(opened, texts, [], "a", "broken") == []


def test_a_virtual_package_counts_as_large(opened: Maker) -> None:
    assert tail(opened, [*CHAIN, stanza("real", Provides="virtual")], [], "a", "virtual") == []
