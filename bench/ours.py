"""The scenarios of fuel-image itself.

Owns what is in the cache and in the output before each, and the reading of the program's own log. It must not know more
of the program than a user can see, but for the name of the pool: the rest of the cache is told apart by what a build
added.
"""

from __future__ import annotations

import functools
import json
import os
import re
import shutil
import time
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from bench.measure import Failed, Stages, started, tail
from bench.memory import Watch, watched
from bench.scenario import Place, Run, Scenario
from bench.workload import SMALL_PACKAGES

POOL = "pool"
_STEP = re.compile(r"(?P<title>\S.*): (?P<seconds>\d+\.\d+) s")
"""A step of the outermost level, as the program tells it where standard error is no terminal."""

OTHER = "other"
EMISSION = ("Making images", "Publishing")
"""The steps in which a tree at rest becomes published images."""


@dataclass(frozen=True)
class Home:
    """The directories of one scenario's builds."""

    top: Path
    output_name: str = "output"

    @property
    def cache(self) -> Path:
        """The cache directory."""
        return self.top / "cache"

    @property
    def output(self) -> Path:
        """Where the images appear."""
        return self.top / self.output_name


def scenarios(place: Place) -> tuple[Scenario, ...]:
    """Return the scenarios, in an order in which each finds what it starts from."""
    rows = (("pooled", _pooled), ("customised", _customised), ("images gone", _gone), ("images present", _present))
    return (
        Scenario("cold", lambda: None, lambda: _cold(place)),
        *(Scenario(name, functools.partial(filled, place), functools.partial(run, place)) for name, run in rows),
    )


@functools.cache
def fill(place: Place) -> Home:
    """Build once in a run of the benchmark, so that everything is cached and published."""
    full = Home(place.directory / "ours/full")
    build(place, full, place.workload.request(full.output))
    return full


def filled(place: Place) -> None:
    """Do what every scenario but the cold one needs before."""
    fill(place)


def build(
    place: Place, home: Home, request: dict[str, Any], *, results: str = "*.gz", with_memory: bool = False
) -> Run:
    """Run the program on a request; take its time, its steps, the size of the *results*, and its memory.

    Raises Failed.
    """
    home.top.mkdir(parents=True, exist_ok=True)
    home.output.mkdir(exist_ok=True)
    log = home.top / "build.log"
    argv = command(place, home, request, "request.json")
    with log.open("wb") as errors:
        begin = time.monotonic()
        with started(argv, {}, place.checkout, errors) as process, _watch(process.pid, with_memory) as watch:
            code = process.wait()
            seconds = time.monotonic() - begin
    if code != 0:
        raise Failed(f"fuel-image (exit code {code}):\n{tail(log)}")
    facts = {"size_bytes": sum(path.stat().st_size for path in home.output.glob(results))}
    return Run(seconds, steps(log, seconds), {**facts, **({"peak_bytes": watch.peak_bytes} if watch else {})})


def _watch(pid: int, wanted: bool) -> AbstractContextManager[Watch | None]:
    return watched(pid) if wanted else nullcontext()


def command(place: Place, home: Home, request: dict[str, Any], name: str) -> list[str]:
    """Write a request to a file and return the command that builds it."""
    path = home.top / name
    path.write_text(json.dumps(request), encoding="utf-8")
    directories = ("--work-dir", str(home.top / "work"), "--cache-dir", str(home.cache))
    return [place.python, "-m", "fuel_image", *directories, str(path)]


def steps(log: Path, seconds: float) -> Stages:
    """Return the steps in a log; what they leave of *seconds* is one more."""
    found: list[tuple[str, float]] = []
    for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
        match = _STEP.fullmatch(line)
        if match:
            found.append((match["title"], float(match["seconds"])))
    return (*found, (OTHER, max(0.0, seconds - sum(one for _, one in found))))


def renewed(home: Home, pool: Path | None) -> Home:
    """Remove everything of a home; give it the pool of another, if one is named, by hard links."""
    if home.top.exists():
        shutil.rmtree(home.top)
    home.cache.mkdir(parents=True)
    if pool is not None:
        shutil.copytree(pool, home.cache / POOL, copy_function=_linked)
    return home


def _linked(source: str, target: str) -> None:
    os.link(source, target)


def _cold(place: Place) -> Run:
    home = renewed(Home(place.directory / "ours/cold"), None)
    run = build(place, home, place.workload.request(home.output), with_memory=True)
    shutil.rmtree(home.top)
    return run


def _pooled(place: Place) -> Run:
    home = renewed(Home(place.directory / "ours/pooled"), fill(place).cache / POOL)
    run = build(place, home, place.workload.request(home.output))
    shutil.rmtree(home.top)
    return run


def _customised(place: Place) -> Run:
    home = Home(fill(place).top, "customised")
    before = set(_kept(home.cache))
    try:
        request = place.workload.request(home.output, extra=SMALL_PACKAGES[:1], root_password="second")
        return build(place, home, request)
    finally:
        shutil.rmtree(home.output, ignore_errors=True)
        for path in sorted(set(_kept(home.cache)) - before):
            _remove(path)


def _kept(cache: Path) -> Iterable[Path]:
    """Return what is in a cache, down to files of the pool and whole layers."""
    return (path for pattern in ("*", "*/*", "*/*/*") for path in cache.glob(pattern))


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _gone(place: Place) -> Run:
    full = fill(place)
    shutil.rmtree(full.output, ignore_errors=True)
    return build(place, full, place.workload.request(full.output))


def _present(place: Place) -> Run:
    full = fill(place)
    begin = time.monotonic()
    with requests.Session() as session:
        for address in place.workload.release_files:
            session.get(address, timeout=60).raise_for_status()
    answer = time.monotonic() - begin
    run = build(place, full, place.workload.request(full.output))
    return Run(run.seconds, run.stages, {**run.facts, "mirror_seconds": answer})
