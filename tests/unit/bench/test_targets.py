"""Every target, met and just not met."""

from __future__ import annotations

from typing import Any

import pytest

from bench import report
from bench.emission import FLOOR, TOOLS
from bench.targets import MET, NOT_MEASURED, NOT_MET, targets
from bench.together import VARIANTS
from bench.whole_disks import BY_HAND, DISK

from .runs import TO_A_TAR_FILE, results, run

OTHERS = (run("original", ("all", 120.0)), run("mmdebstrap", ("all", 100.0)), TO_A_TAR_FILE)
MEMORY = "cold: under 300 MB of memory for our own processes, without images that lie in memory"
FASTEST = "the fastest peer (mmdebstrap)"

Row = tuple[str, tuple[dict[str, Any], ...], str, str]


def row(wanted: str, measured: str, verdict: str, *runs: dict[str, Any]) -> Row:
    return wanted, runs, measured, verdict


def ours(name: str, seconds: float, **facts: float) -> dict[str, Any]:
    return run(name, ("all", seconds), **facts)


def emission(name: str, seconds: float) -> tuple[dict[str, Any], ...]:
    """Return what is compared with it, and an emission of four seconds."""
    stages = (("Opening the repositories", 9.0), ("Making images", 3.0), ("Publishing", 1.0))
    return run("images gone", *stages), run(name, ("compress", seconds))


def together(name: str, at_once: float, **facts: float) -> dict[str, Any]:
    return run(name, ("at once", at_once), ("one after the other", 10.0), **{"duplicates": 0, "fetched": 9, **facts})


ROWS = [
    row(f"cold: 2.5 times as fast as {FASTEST}", "2.5 times", MET, ours("cold", 40.0)),
    row(f"cold: 2.5 times as fast as {FASTEST}", "2.4 times", NOT_MET, ours("cold", 41.0)),
    row("cold: 4 times as fast as original", "4.0 times", MET, ours("cold", 30.0)),
    row("cold: 4 times as fast as original", "3.9 times", NOT_MET, ours("cold", 31.0)),
    row(f"pooled: 3 times as fast as {FASTEST}", "3.0 times", MET, ours("pooled", 33.0)),
    row(f"pooled: 3 times as fast as {FASTEST}", "2.9 times", NOT_MET, ours("pooled", 34.0)),
    row(f"customised: 8 times as fast as {FASTEST}", "8.0 times", MET, ours("customised", 12.5)),
    row(f"customised: 8 times as fast as {FASTEST}", "7.9 times", NOT_MET, ours("customised", 12.7)),
    row(f"images gone: 12 times as fast as {FASTEST}", "12.5 times", MET, ours("images gone", 8.0)),
    row(f"images gone: 12 times as fast as {FASTEST}", "11.9 times", NOT_MET, ours("images gone", 8.4)),
    row(f"{DISK}: 5 times as fast as {BY_HAND}", "5.0 times", MET, ours(DISK, 8.0), ours(BY_HAND, 40.0)),
    row(f"{DISK}: 5 times as fast as {BY_HAND}", "4.9 times", NOT_MET, ours(DISK, 8.0), ours(BY_HAND, 39.0)),
    row(
        "images present: under 1 s plus the mirror's answer", "1.20 s, 0.30 s of it for the mirror", MET,
        ours("images present", 1.2),
    ),
    row(
        "images present: under 1 s plus the mirror's answer", "1.40 s, 0.30 s of it for the mirror", NOT_MET,
        ours("images present", 1.4),
    ),
    row("emission: 10 times as fast as mke2fs, gzip and md5sum", "10.0 times", MET, *emission(TOOLS, 40.0)),
    row("emission: 10 times as fast as mke2fs, gzip and md5sum", "9.9 times", NOT_MET, *emission(TOOLS, 39.6)),
    row("emission: at most 1.5 times the floor", "1.48 times", MET, *emission(FLOOR, 2.7)),
    row("emission: at most 1.5 times the floor", "1.54 times", NOT_MET, *emission(FLOOR, 2.6)),
    row(MEMORY, "299 MB", MET, ours("cold", 1.0, peak_bytes=299e6)),
    row(
        MEMORY, "300 MB", NOT_MET,
        *(ours("cold", 1.0, peak_bytes=peak) for peak in (200e6, 300e6, 250e6)),
    ),
    *(
        one
        for name in (variant.name for variant in VARIANTS)
        for one in (
            row(f"{name}: no longer than one after the other", "1.00 times", MET, together(name, 10.0)),
            row(f"{name}: no longer than one after the other", "1.01 times", NOT_MET, together(name, 10.1)),
            row(f"{name}: nothing fetched twice", "0 files twice", MET, together(name, 10.0)),
            row(f"{name}: nothing fetched twice", "1 files twice", NOT_MET, together(name, 10.0, duplicates=1)),
        )
    ),
]  # fmt: skip


def verdicts(*runs: dict[str, Any]) -> dict[str, tuple[str, str]]:
    found = report.summaries(results(*runs))
    return {one.wanted: (one.measured, one.verdict) for one in targets(found)}


@pytest.mark.parametrize(("wanted", "runs", "measured", "verdict"), ROWS)
def test_a_target(wanted: str, runs: tuple[dict[str, Any], ...], measured: str, verdict: str) -> None:
    assert verdicts(*OTHERS, *runs)[wanted] == (measured, verdict)


@pytest.mark.parametrize("verdict", [MET, NOT_MET])
def test_every_target_is_above(verdict: str) -> None:
    assert [wanted for wanted, _, _, one in ROWS if one == verdict] == list(verdicts(*OTHERS))


def test_what_was_not_run_is_not_measured() -> None:
    assert set(verdicts().values()) == set(verdicts(*OTHERS).values()) == {("", NOT_MEASURED)}


def test_what_no_witness_saw_is_not_measured() -> None:
    unseen = together("two together", 10.0, fetched=0)
    assert verdicts(unseen)["two together: nothing fetched twice"] == ("", NOT_MEASURED)
