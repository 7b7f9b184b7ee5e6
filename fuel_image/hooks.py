"""The site's hooks: programs that are told how a build ended.

Owns when they are run, with what, and for how long. What they do changes nothing of the build: one that fails is a
warning. What they leave running ends with the build. It must not know what they are for.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from fuel_image.errors import FuelImageError
from fuel_image.host.command import run

LOG = logging.getLogger(__name__)

_LONGEST_SECONDS = 60.0


Hooks = Mapping[str, Sequence[str]]
"""The programs by the event that they are told of: published, failed."""


@contextmanager
def told_of_failure(hooks: Hooks, metadata: Path) -> Iterator[None]:
    """Run the hooks for failures if the block fails."""
    try:
        yield
    except FuelImageError as error:
        _run(hooks.get("failed", ()), metadata, {"FUEL_IMAGE_ERROR": str(error)})
        raise


def tell_published(hooks: Hooks, metadata: Path) -> None:
    """Run the hooks for a set that has just been published."""
    _run(hooks.get("published", ()), metadata, {})


def _run(programs: Sequence[str], metadata: Path, environment: Mapping[str, str]) -> None:
    for program in programs:
        try:
            run(program, metadata, doing="running a hook", env=environment, timeout_seconds=_LONGEST_SECONDS)
        except FuelImageError as error:
            LOG.warning("%s", error)
