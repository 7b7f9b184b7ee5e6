"""Faults on purpose: each promise counted, each test leaving the host as it was."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from tests.integration.conftest import cache_dir as shared_cache_dir
from tests.integration.conftest import fuel as fuel
from tests.integration.conftest import host_as_it_was as host_as_it_was

from .ground import Ground, prepared, reset
from .mirror import Mirror, made
from .promises import promise_of

__all__ = ["shared_cache_dir"]

Tried = Callable[[int], None]


@pytest.fixture
def tried(record_property: Callable[[str, object], None]) -> Tried:
    """Return how a test says that it has tried more than one case."""
    return lambda cases: record_property("cases", cases)


@pytest.fixture(scope="session")
def cache_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the builds of one worker keep: it looks whether one leaves a layer that it has half made."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def mirror(shared_cache_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mirror]:
    """A signed repository of real packages, from which a system of the host's release is made in seconds."""
    mirror = made(tmp_path_factory.mktemp("mirror"), shared_cache_dir)
    yield mirror
    mirror.signer.close()


@pytest.fixture(scope="session")
def ground(mirror: Mirror, tmp_path_factory: pytest.TempPathFactory) -> Ground:
    """Where builds that are disturbed take place."""
    return prepared(tmp_path_factory.mktemp("ground"), mirror)


@pytest.fixture(scope="session")
def warm(ground: Ground) -> list[str]:
    """The places of a build for which all layers are kept."""
    reset(ground)
    return ground.places()


@pytest.fixture(scope="session")
def places(ground: Ground, warm: Sequence[str]) -> list[str]:
    """The places of a build from nothing, and those that only one comes by for which something is kept."""
    ground.forget()
    reset(ground)
    found = ground.places()
    return [*found, *(place for place in warm if place not in found)]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Note what each test promises."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            section, promise = promise_of(item)
            item.user_properties += [("section", section), ("promise", promise)]
