"""The targets, and whether they are met.

Owns the table of what fuel-image wants to be, as ratios of medians. It must not run or write anything.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bench.emission import FLOOR, TOOLS
from bench.report import Spread, Summary, fastest_peer
from bench.together import AT_ONCE, IN_TURN, VARIANTS
from bench.whole_disks import BY_HAND, DISK

MET, NOT_MET, NOT_MEASURED = "met", "not met", "not measured"

_FASTEST = "the fastest peer"
_FASTER = (
    ("cold", _FASTEST, 2.5),
    ("cold", "original", 4.0),
    ("pooled", _FASTEST, 3.0),
    ("customised", _FASTEST, 8.0),
    ("images gone", _FASTEST, 12.0),
    (DISK, BY_HAND, 5.0),
)
_PRESENT_SECONDS = 1.0
_TOOLS_RATIO, _FLOOR_RATIO = 10.0, 1.5
_MEMORY_BYTES = 300e6


@dataclass(frozen=True)
class Target:
    """What is wanted, what was measured, and how they compare."""

    wanted: str
    measured: str
    verdict: str


def targets(found: Mapping[str, Summary]) -> tuple[Target, ...]:
    """Return every target with its verdict."""
    return (*_faster(found), _present(found), *_emission(found), _memory(found), *_together(found))


def _faster(found: Mapping[str, Summary]) -> Iterator[Target]:
    for name, than, times in _FASTER:
        other = fastest_peer(found) if than == _FASTEST else than
        ours, theirs = found.get(name), found.get(other or "")
        ratio = theirs.seconds.median / ours.seconds.median if ours and theirs else None
        shown = f"{than} ({other})" if than == _FASTEST and other else than
        yield _at_least(f"{name}: {times:g} times as fast as {shown}", ratio, times)


def _present(found: Mapping[str, Summary]) -> Target:
    wanted = f"images present: under {_PRESENT_SECONDS:g} s plus the mirror's answer"
    present = found.get("images present")
    if present is None:
        return Target(wanted, "", NOT_MEASURED)
    answer = present.facts["mirror_seconds"].median
    measured = f"{present.seconds.median:.2f} s, {answer:.2f} s of it for the mirror"
    return Target(wanted, measured, _verdict(present.seconds.median - answer < _PRESENT_SECONDS))


def _emission(found: Mapping[str, Summary]) -> Iterator[Target]:
    gone = found.get("images gone")
    ours = gone.finishing if gone else None
    tools, floor = found.get(TOOLS), found.get(FLOOR)
    yield _at_least(
        f"emission: {_TOOLS_RATIO:g} times as fast as mke2fs, gzip and md5sum",
        tools.seconds.median / ours.median if tools and ours else None,
        _TOOLS_RATIO,
    )
    wanted = f"emission: at most {_FLOOR_RATIO:g} times the floor"
    if ours is None or floor is None:
        yield Target(wanted, "", NOT_MEASURED)
    else:
        ratio = ours.median / floor.seconds.median
        yield Target(wanted, f"{ratio:.2f} times", _verdict(ratio <= _FLOOR_RATIO))


def _memory(found: Mapping[str, Summary]) -> Target:
    limit = f"{_MEMORY_BYTES / 1e6:.0f} MB"
    wanted = f"cold: under {limit} of memory for our own processes, without images that lie in memory"
    cold = found.get("cold")
    if cold is None:
        return Target(wanted, "", NOT_MEASURED)
    peak = cold.facts["peak_bytes"].high
    return Target(wanted, f"{peak / 1e6:.0f} MB", _verdict(peak < _MEMORY_BYTES))


def _together(found: Mapping[str, Summary]) -> Iterator[Target]:
    for variant in VARIANTS:
        summary = found.get(variant.name)
        stages = dict(summary.stages) if summary else {}
        yield _no_slower(f"{variant.name}: no longer than one after the other", stages)
        wanted = f"{variant.name}: nothing fetched twice"
        if summary is None or not summary.facts["fetched"].high:
            yield Target(wanted, "", NOT_MEASURED)  # the proxy saw nothing: the mirror is reached in another way
        else:
            twice = summary.facts["duplicates"].high
            yield Target(wanted, f"{twice:.0f} files twice", _verdict(twice == 0))


def _no_slower(wanted: str, stages: Mapping[str, Spread]) -> Target:
    if not stages:
        return Target(wanted, "", NOT_MEASURED)
    ratio = stages[AT_ONCE].median / stages[IN_TURN].median
    return Target(wanted, f"{ratio:.2f} times", _verdict(ratio <= 1))


def _at_least(wanted: str, ratio: float | None, least: float) -> Target:
    if ratio is None:
        return Target(wanted, "", NOT_MEASURED)
    return Target(wanted, f"{ratio:.1f} times", _verdict(ratio >= least))


def _verdict(met: bool) -> str:
    return MET if met else NOT_MET
