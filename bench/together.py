"""Several builds at once that share a cache, against the same one after another.

Owns the starting of builds side by side. All go through the counting proxy, so that what it costs they share.
"""

from __future__ import annotations

import functools
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from bench import ours
from bench.measure import Failed, started, tail
from bench.ours import POOL, Home, command, fill, renewed
from bench.proxy import Fetched, proxy
from bench.scenario import Place, Run, Scenario
from bench.workload import SMALL_PACKAGES

AT_ONCE, IN_TURN = "at once", "one after the other"


@dataclass(frozen=True)
class Variant:
    """How many builds, and whether the cache holds the packages at first."""

    name: str
    builds: int
    pooled: bool


VARIANTS = (
    Variant("two together", 2, pooled=True),
    Variant("four together", 4, pooled=True),
    Variant("two together from nothing", 2, pooled=False),
)


def scenarios(place: Place) -> tuple[Scenario, ...]:
    """Return a scenario for each number of builds and each state of the cache."""
    return tuple(
        Scenario(
            variant.name, functools.partial(ours.filled, place), functools.partial(_run, place, variant), once=True
        )
        for variant in VARIANTS
    )


def _run(place: Place, variant: Variant) -> Run:
    at_once, fetched = _timed(place, variant, side_by_side=True)
    in_turn, _ = _timed(place, variant, side_by_side=False)
    return Run(
        at_once, ((AT_ONCE, at_once), (IN_TURN, in_turn)), {"duplicates": fetched.duplicates, "fetched": fetched.total}
    )


def _timed(place: Place, variant: Variant, *, side_by_side: bool) -> tuple[float, Fetched]:
    home = renewed(Home(place.directory / "ours/together"), fill(place).cache / POOL if variant.pooled else None)
    try:
        with proxy() as (address, fetched):
            commands = list(_commands(place, home, variant.builds, address))
            begin = time.monotonic()
            for group in [commands] if side_by_side else [[one] for one in commands]:
                _build(place, home, group)
            return time.monotonic() - begin, fetched
    finally:
        shutil.rmtree(home.top)


def _commands(place: Place, home: Home, builds: int, address: str) -> Iterator[Sequence[str]]:
    for number, package in enumerate(SMALL_PACKAGES[:builds]):
        output = home.top / f"output{number}"
        output.mkdir()
        request = place.workload.request(output, extra=(package,), proxy=address)
        yield command(place, home, request, f"request{number}.json")


def _build(place: Place, home: Home, commands: Sequence[Sequence[str]]) -> None:
    """Run builds side by side and wait for all of them. Raises Failed."""
    logs: list[Path] = []
    with ExitStack() as stack:
        processes = []
        for number, argv in enumerate(commands):
            logs.append(home.top / f"build{number}.log")
            errors = stack.enter_context(logs[-1].open("wb"))
            processes.append(stack.enter_context(started(argv, {}, place.checkout, errors)))
        codes = [process.wait() for process in processes]
    for code, log in zip(codes, logs):
        if code != 0:
            raise Failed(f"fuel-image (exit code {code}):\n{tail(log)}")
