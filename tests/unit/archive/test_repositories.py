"""apt's choice among repositories (apt_preferences(5))."""

from __future__ import annotations

import pytest

from fuel_image.archive.packages import Dependency
from fuel_image.archive.repositories import Repositories
from fuel_image.archive.trust import is_local
from fuel_image.request import Repository

from .conftest import Maker, stanza


def version_of(repositories: Repositories, name: str = "a") -> str | None:
    package = repositories.candidate(name)
    return None if package is None else package.version


@pytest.mark.parametrize(
    ("pins", "version"),
    [
        ([None, None], "2"),  # the higher version
        ([None, 400], "1"),  # the higher priority
        ([1001, None], "1"),  # a downgrade
        ([None, -1], "1"),  # never
        ([-1, -1], None),
    ],
)
def test_priorities(opened: Maker, pins: list[int | None], version: str | None) -> None:
    assert version_of(opened([stanza("a", "1")], [stanza("a", "2")], priorities=pins)) == version


def test_a_version_that_two_repositories_offer_has_the_higher_priority(opened: Maker) -> None:
    both = opened([stanza("a", "1"), stanza("a", "2")], [stanza("a", "1")], priorities=[100, 600])
    assert version_of(both) == "1"
    package = both.candidate("a")
    assert package is not None and package.repository == 1


def test_other_architectures_do_not_count(opened: Maker) -> None:
    assert (
        version_of(
            opened([stanza("a", "1"), stanza("a", "2", Architecture="i386"), stanza("a", "0", Architecture="all")])
        )
        == "1"
    )


def test_satisfying_by_provides(opened: Maker) -> None:
    repositories = opened([stanza("b", Provides="x (= 2)"), stanza("c", Provides="y")])
    assert repositories.satisfying(Dependency("x", ">=", "2")) == repositories.candidate("b")
    assert repositories.satisfying(Dependency("x", ">>", "2")) is None
    assert repositories.satisfying(Dependency("y")) == repositories.candidate("c")
    assert repositories.satisfying(Dependency("y", ">=", "1")) is None


@pytest.mark.parametrize(
    ("uris", "local"),
    [
        (("file:///srv/mirror",), True),
        (("http://127.0.0.1:8080/u", "http://localhost/u"), True),
        (("http://127.0.0.1/u", "http://mirror.example.org/u"), False),
        (("http://127.0.0.1.example.org/u",), False),
    ],
)
def test_what_lives_on_this_machine(uris: tuple[str, ...], local: bool) -> None:
    repository = Repository("r", uris, "noble", ("main",))
    assert is_local(repository, lambda _: True) is local
    assert is_local(repository, lambda _: False) is (local and uris[0].startswith("file:"))
