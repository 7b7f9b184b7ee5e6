"""What the numbers say.

Owns the results of a benchmark as they are kept, their medians and spreads, and what follows from them: the targets and
where a peer wins. Everything here is a function of the results. It must not run or write anything.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.measure import Stages
from bench.ours import EMISSION
from bench.peers import PEERS, TREE_FINISHED

Results = Mapping[str, Any]
"""What the file of results holds: ``runs``, each with a name, seconds, stages and facts; ``failures``; ``remarks`` of
whoever ran it; the machine.
"""

OURS = ("cold", "pooled", "customised", "images gone", "images present")
THEIRS = tuple(peer.name for peer in PEERS)
WHOLE = tuple(peer.name for peer in PEERS if peer.whole)
"""Those of them that we are compared with."""
_WORTH_TELLING = 0.99
"""A hundredth less is no win: nobody would see it again."""


@dataclass(frozen=True)
class Spread:
    """A median with the least and the most."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread:
        """Return the spread of at least one value."""
        kept = sorted(values)
        return cls(statistics.median(kept), kept[0], kept[-1])


@dataclass(frozen=True)
class Summary:
    """The runs of one pipeline."""

    seconds: Spread
    stages: tuple[tuple[str, Spread], ...]
    facts: Mapping[str, Spread]
    finishing: Spread | None
    """From a tree at rest to published images."""


def summaries(results: Results) -> dict[str, Summary]:
    """Return a summary of every pipeline that ended well at least once."""
    runs: dict[str, list[Any]] = {}
    for run in results["runs"]:
        runs.setdefault(run["name"], []).append(run)
    return {name: _summary(some) for name, some in runs.items()}


def _summary(runs: Sequence[Any]) -> Summary:
    stages: dict[str, list[float]] = {}
    facts: dict[str, list[float]] = {}
    for run in runs:
        for name, seconds in _merged(run["stages"]).items():
            stages.setdefault(name, []).append(seconds)
        for name, value in run["facts"].items():
            facts.setdefault(name, []).append(value)
    finishing = [seconds for seconds in (_finishing(run["stages"]) for run in runs) if seconds]
    return Summary(
        Spread.of(run["seconds"] for run in runs),
        tuple((name, Spread.of(values)) for name, values in stages.items()),
        {name: Spread.of(values) for name, values in facts.items()},
        Spread.of(finishing) if finishing else None,
    )


def _merged(stages: Stages) -> dict[str, float]:
    """Add up stages of the same name."""
    total: dict[str, float] = {}
    for name, seconds in stages:
        total[name] = total.get(name, 0.0) + seconds
    return total


def _finishing(stages: Stages) -> float:
    return sum(seconds for name, seconds in stages if name in (*TREE_FINISHED, *EMISSION))


def fastest_peer(found: Mapping[str, Summary]) -> str | None:
    """Return the name of the fastest peer that makes the same images."""
    return min((name for name in WHOLE if name in found), key=lambda name: found[name].seconds.median, default=None)


def peer_wins(found: Mapping[str, Summary]) -> list[str]:
    """Return a sentence for everything in which a peer did better than we."""
    return [*_faster(found), *_faster_in_part(found), *_smaller(found)]


def _faster(found: Mapping[str, Summary]) -> Iterable[str]:
    for peer, theirs in _of(found, WHOLE):
        for name, ours in _of(found, OURS):
            if theirs.seconds.median < _WORTH_TELLING * ours.seconds.median:
                yield f"{peer} takes {theirs.seconds.median:.1f} s where {name} takes {ours.seconds.median:.1f} s."


def _faster_in_part(found: Mapping[str, Summary]) -> Iterable[str]:
    """Compare the ways to a tree at rest, and from there, where both begin without a tree."""
    for peer, theirs in _of(found, WHOLE):
        for name, ours in _of(found, ("cold", "pooled")):
            if theirs.finishing is None or ours.finishing is None:
                continue
            parts = [
                ("to make images of a finished tree", theirs.finishing.median, ours.finishing.median),
                (
                    "until the tree is finished",
                    theirs.seconds.median - theirs.finishing.median,
                    ours.seconds.median - ours.finishing.median,
                ),
            ]
            for what, their_seconds, our_seconds in parts:
                if their_seconds < _WORTH_TELLING * our_seconds:
                    yield f"{peer} takes {their_seconds:.1f} s {what}; {name} takes {our_seconds:.1f} s."


def _smaller(found: Mapping[str, Summary]) -> Iterable[str]:
    ours = next((summary.facts["size_bytes"].median for _, summary in _of(found, OURS)), 0.0)
    for peer, theirs in _of(found, WHOLE):
        size = theirs.facts["size_bytes"].median
        if size < _WORTH_TELLING * ours:
            yield f"The images of {peer} take {size / 1e6:.0f} MB, ours {ours / 1e6:.0f} MB."


def _of(found: Mapping[str, Summary], names: Iterable[str]) -> list[tuple[str, Summary]]:
    return [(name, found[name]) for name in names if name in found]
