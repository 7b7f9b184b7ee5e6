"""The running of the peers' pipelines.

Owns the directories and variables that their stages work with, and the measuring of what they made. What the stages
do is in peers.py.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.measure import Stage, Stages, run_stages
from bench.peers import PEERS, Peer
from bench.scenario import Place, Run, Scenario
from bench.workload import COMPONENTS, PACKAGES, SUITE

_VERSIONS = {
    "pigz": "pigz --version 2>&1",
    "gzip": "gzip --version",
    "e2fsprogs": "mke2fs -V 2>&1",
    "apt": "apt-get --version",
}


_ONCE = ("mkosi", "diskimage-builder")
"""They take long, filling their caches too, and are far from the fastest."""


def scenarios(place: Place) -> tuple[Scenario, ...]:
    """Return a scenario for every peer."""
    return tuple(
        Scenario(
            peer.name,
            functools.partial(_warm, place, peer),
            functools.partial(_run, place, peer),
            once=peer.name in _ONCE,
        )
        for peer in PEERS
    )


def versions(place: Place) -> dict[str, str]:
    """Return the first line that each program says about its version."""
    asked = {**_VERSIONS, **{peer.name: peer.version for peer in PEERS}}
    told = {}
    for name, command in asked.items():
        ended = subprocess.run(
            ["bash", "-c", command], check=False, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            env={**os.environ, **_environment(place, "versions")},
        )  # fmt: skip
        told[name] = (ended.stdout.splitlines() or ["not there"])[0]
    return told


def stages_run(
    place: Place, name: str, stages: Sequence[Stage], results: str = "*.gz", extra: Mapping[str, str] | None = None
) -> Run:
    """Run stages in an empty directory, which is removed afterwards; note the size of the files named *results*."""
    directory = emptied(place.directory / "work" / name)
    try:
        timed = logged_stages(place, name, stages, directory, extra or {})
        size = sum(path.stat().st_size for path in directory.glob(results))
    finally:
        shutil.rmtree(directory)
    return Run(sum(seconds for _, seconds in timed), timed, {"size_bytes": size})


def logged_stages(
    place: Place, name: str, stages: Sequence[Stage], directory: Path, extra: Mapping[str, str]
) -> Stages:
    """Run stages in a directory, with their output in a log."""
    log = place.directory / "logs" / f"{name}.log"
    log.parent.mkdir(exist_ok=True)
    log.write_bytes(b"")
    return run_stages(stages, {**_environment(place, name), **extra}, directory, log)


def emptied(directory: Path) -> Path:
    """Return the directory, made anew and empty."""
    if directory.exists():
        shutil.rmtree(directory)
    directory.mkdir(parents=True)
    return directory


def _warm(place: Place, peer: Peer) -> None:
    """Fill the peer's own cache, if it has one."""
    if peer.with_cache:
        _run(place, peer)


def _run(place: Place, peer: Peer) -> Run:
    return stages_run(place, peer.name, peer.stages, "*.gz" if peer.whole else "*.tar")


def _environment(place: Place, name: str) -> Mapping[str, str]:
    cache = place.directory / "caches" / name
    cache.mkdir(parents=True, exist_ok=True)
    return {
        "MIRROR": place.workload.mirror,
        "SOURCES": "\n".join(place.workload.sources),
        "KEYRING": str(place.directory / "ubuntu-archive.gpg"),
        "SUITE": SUITE,
        "COMPONENTS": " ".join(COMPONENTS),
        "PACKAGES": " ".join(PACKAGES),
        "TOOLS": str(place.directory),
        "CACHE": str(cache),
        "PYTHON": place.python,
        "PYTHONPATH": str(place.checkout),
    }
