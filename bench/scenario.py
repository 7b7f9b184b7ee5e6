"""What the benchmark runs in turn.

Owns the types that the pipelines, ours and theirs, have in common. It must not run anything.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

from bench.measure import Stages
from bench.workload import Workload


@dataclass(frozen=True)
class Place:
    """The checkout, the directory below which everything is made, and what is to be built."""

    checkout: Path
    directory: Path
    workload: Workload

    @property
    def python(self) -> str:
        """The Python that has what fuel-image needs."""
        return str(self.directory / "venv/bin/python")


@dataclass(frozen=True)
class Run:
    """One measured run: all its seconds, those of its stages, and other numbers by name."""

    seconds: float
    stages: Stages
    facts: Mapping[str, float] = dataclasses.field(default_factory=dict)


@dataclass(frozen=True)
class Scenario:
    """A name; what is done once before, untimed; and what is measured in every round, or with *once* in the first."""

    name: str
    prepare: Callable[[], None]
    run: Callable[[], Run]
    once: bool = False
