"""The reading of Packages indices."""

from __future__ import annotations

import pytest

from fuel_image.archive.packages import Dependency, Index, parse_dependencies
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


HEAD = "Version: 1\nArchitecture: all\nFilename: f\nSize: 1\nSHA256: " + "0" * 64


@pytest.mark.parametrize("around", [("", ""), ("{z}\n", ""), ("", "\n{z}"), ("{z}\n", "\n{z}"), ("\n\n", "\n\n")])
@pytest.mark.parametrize(
    "text",
    [
        f"Package: a\n{HEAD}\nEssential: yes\nProvides: x\n",
        f"Provides: x\nEssential: yes\n{HEAD}\nPackage: a\n",
        f"Essential: yes\nPackage: a\nProvides: x\n{HEAD}\n",
    ],
    ids=["first", "last", "middle"],
)
def test_fields_are_found_wherever_they_are(text: str, around: tuple[str, str]) -> None:
    before, after = (one.format(z=stanza("z")) for one in around)
    whole = f"{before}{text}{after}"
    for content in (whole, whole.rstrip("\n")):
        made = Index(content.encode, "0" * 64, 3, "label")
        assert [one.version for one in made.named("a")] == ["1"]
        assert [one.name for one in made.providing("x")] == ["a"]
        assert list(made.base()) == ["a"]
        assert sorted(made.names()) == (["a", "z"] if "Package: z" in content else ["a"])


@pytest.mark.parametrize(
    "line",
    [" Package: b", "\tPackage: b", " .\n Package: b", "XPackage: b", "X-Package: b", "Package-Type: b", "Packages: b"],
)
def test_what_only_looks_like_a_field_is_none(line: str) -> None:
    made = index(3, f"{stanza('a')}Description: x\n{line}\n", stanza("c"))
    assert list(made.names()) == ["a", "c"]


def test_an_empty_index() -> None:
    for content in ("", "\n", "\n\n\n"):
        made = index(3, content)
        assert (list(made.names()), list(made.named("a")), list(made.base()), list(made.stanzas([]))) == (
            [],
            [],
            [],
            [],
        )


def test_the_text_is_read_when_somebody_looks_and_once() -> None:
    asked = []

    def load() -> bytes:
        asked.append(1)
        return stanza("a").encode()

    made = Index(load, "0" * 64, 3, "label")
    assert asked == []
    assert [list(made.named(name)) for name in "bc"] == [[], []]
    assert list(made.names()) == ["a"]
    assert asked == [1]


def test_the_text_of_packages() -> None:
    odd = stanza("b", "2", Description="x\n .\n Package: a\n\tVersion: 1")
    made = index(3, stanza("a", "1"), odd, stanza("b", "1"), stanza("c").rstrip("\n"))
    packages = {(one.name, one.version): one for name in "abc" for one in made.named(name)}
    wanted = [packages["c", "1"], packages["b", "2"], packages["b", "2"]]
    assert [text.decode() for text in made.stanzas(wanted)] == [odd, stanza("c")]
    assert b"\n".join(made.stanzas(packages.values())).count(b"\n\n") == 3
    assert list(made.stanzas(())) == []


def test_the_text_of_a_package_is_that_of_its_own_repository() -> None:
    one, other = index(1, stanza("a")), index(2, stanza("a"))
    (package,) = one.named("a")
    assert len(list(one.stanzas([package]))) == 1
    assert list(other.stanzas([package])) == []


def test_the_same_version_for_two_architectures_is_two_packages() -> None:
    made = index(1, stanza("a"), stanza("a", Architecture="i386"))
    for package in made.named("a"):
        (text,) = made.stanzas([package])
        assert f"Architecture: {package.architecture}".encode() in text
