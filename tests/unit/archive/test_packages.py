"""The reading of Packages indices."""

from __future__ import annotations

import pytest

from fuel_image.archive.packages import Dependency, parse_dependencies
from fuel_image.errors import ReleaseError

from .conftest import index, stanza


def test_a_stanza() -> None:
    text = stanza(
        "libc6",
        "2:2.39-1",
        Essential="yes",
        Priority="required",
        Source="glibc (2.39)",
        Pre_Depends="a",
        Depends="b | c",
    )
    (package,) = index(3, stanza("lib"), text, stanza("libc6-dev")).named("libc6")
    assert package.archive_name == "libc6_2%3a2.39-1_amd64.deb"
    assert (package.essential, package.required, package.source, package.repository) == (True, True, "glibc", 3)
    assert package.depends == ((Dependency("a"),), (Dependency("b"), Dependency("c")))


def test_a_name_matches_whole_names_only_and_at_the_start_of_a_line_only() -> None:
    texts = stanza("a", Description="x\n Package: b"), stanza("ab")
    assert [package.name for package in index(3, *texts).named("a")] == ["a"]
    assert list(index(3, *texts).named("b")) == []


def test_the_name_need_not_come_first() -> None:
    text = "Version: 1\nPackage: a\nArchitecture: all\nFilename: f\nSize: 1\nSHA256: " + "0" * 64
    assert next(index(3, stanza("z"), text, stanza("y")).named("a")).version == "1"


def test_base_and_providers() -> None:
    texts = (
        stanza("a", Essential="yes"),
        stanza("b", Priority="required"),
        stanza("c", Priority="optional", Provides="x (= 2), y"),
    )
    assert list(index(3, *texts).base()) == ["a", "b"]
    assert [package.name for package in index(3, *texts).providing("x")] == ["c"]
    assert next(index(3, *texts).named("c")).provides == (Dependency("x", "=", "2"), Dependency("y"))


@pytest.mark.parametrize(
    ("text", "groups"),
    [
        ("", []),
        ("a", [[Dependency("a")]]),
        (
            "a (>= 1:2~3), b:any | c (<< 4)",
            [[Dependency("a", ">=", "1:2~3")], [Dependency("b"), Dependency("c", "<<", "4")]],
        ),
        ("a(>=1) [amd64],\n b", [[Dependency("a", ">=", "1")], [Dependency("b")]]),
    ],
)
def test_dependencies(text: str, groups: list[list[Dependency]]) -> None:
    assert [list(group) for group in parse_dependencies(text)] == groups


def test_an_odd_provides_harms_nobody() -> None:
    texts = stanza("a", Provides="foo_bar, b"), stanza("c", Provides="x (= 1) <!p>"), stanza("d", Provides="b")
    assert [package.name for package in index(3, *texts).providing("b")] == ["a", "d"]
    assert next(index(3, *texts).named("c")).provides == ()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Package: a\nVersion: 1\n", "package a: no size"),
        (stanza("a").replace("Size: 10", "Size: ten"), "package a: its Size is no size"),
        (stanza("a", SHA256="abc"), "package a: its SHA256 is no SHA-256"),
        (stanza("a", Depends="b (~ 1)"), "is no dependency"),
    ],
)
def test_damaged_stanzas_are_named(text: str, reason: str) -> None:
    with pytest.raises(ReleaseError, match=reason):
        list(index(3, text).named("a"))
