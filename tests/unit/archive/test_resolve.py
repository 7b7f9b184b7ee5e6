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
