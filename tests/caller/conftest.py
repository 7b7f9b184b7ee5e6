"""Tests of the caller share the agent; they use the cache of the integration tests."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.conftest import cache_dir, host_as_it_was

from . import agent
from .middleware import middleware

__all__ = ["cache_dir", "host_as_it_was"]


@pytest.fixture(scope="session")
def stomp_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Where MCollective's two ends meet. CI, which allows no such skip, has a host with MCollective."""
    if shutil.which("mcollectived") is None:
        pytest.skip("no MCollective: Debian has it up to bookworm, Ubuntu up to noble, EL never had it")
    with middleware(tmp_path_factory.mktemp("rabbitmq")) as port:
        yield port


@pytest.fixture(scope="session")
def master(stomp_port: int, cache_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[agent.Master]:
    """The agent, with time enough for everything."""
    with agent.master(tmp_path_factory.mktemp("master"), stomp_port, cache_dir) as running:
        yield running
