"""What the benchmark says of given numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import fuel_image
from bench import chart, page, report, targets
from bench.emission import FLOOR, TOOLS
from bench.ours import EMISSION


def run(name: str, *stages: tuple[str, float], **facts: float) -> dict[str, Any]:
    seconds = sum(one for _, one in stages)
    return {"name": name, "round": 1, "seconds": seconds, "stages": stages, "facts": {"size_bytes": 3e8, **facts}}


def results(*runs: dict[str, Any], **failed: str) -> dict[str, Any]:
    return {
        "date": "2026-01-02",
        "rounds": 1,
        "only": "",
        "machine": {"cores": "2"},
        "versions": {"gzip": "gzip 1.12"},
        "runs": list(runs),
        "failures": [{"name": name, "message": message} for name, message in failed.items()],
    }


ORIGINAL = run("original", ("packages", 90.0), ("images", 1.0), ("compress", 30.0), ("digest", 1.0))
MMDEBSTRAP = run("mmdebstrap", ("packages", 40.0), ("images", 3.0), ("compress", 10.0), ("digest", 1.0), size_bytes=2e8)
COLD = run("cold", ("Installing", 20.0), ("Making images", 5.0), peak_bytes=2e8)


def verdicts(*runs: dict[str, Any]) -> dict[str, tuple[str, str]]:
    found = report.summaries(results(*runs))
    return {one.wanted: (one.measured, one.verdict) for one in targets.targets(found)}


def test_a_median_has_a_spread() -> None:
    three = [run("cold", ("one", seconds)) for seconds in (3.0, 1.0, 2.0)]
    assert report.summaries(results(*three))["cold"].seconds == report.Spread(2.0, 1.0, 3.0)


def test_stages_of_one_name_are_added_up() -> None:
    summary = report.summaries(results(run("cold", ("fetch", 1.0), ("install", 2.0), ("fetch", 3.0))))["cold"]
    assert [(name, seconds.median) for name, seconds in summary.stages] == [("fetch", 4.0), ("install", 2.0)]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ("cold: 2.5 times as fast as the fastest peer (mmdebstrap)", ("2.2 times", targets.NOT_MET)),
        ("cold: 4 times as fast as original", ("4.9 times", targets.MET)),
        ("memory of a cold build: under 300 MB", ("200 MB", targets.MET)),
        ("pooled: 3 times as fast as the fastest peer (mmdebstrap)", ("", targets.NOT_MEASURED)),
    ],
)
def test_targets(wanted: str, expected: tuple[str, str]) -> None:
    assert verdicts(ORIGINAL, MMDEBSTRAP, COLD)[wanted] == expected


def test_emission_is_compared_with_tools_and_floor() -> None:
    gone = run("images gone", ("Opening the repositories", 9.0), ("Making images", 3.0), ("Publishing", 1.0))
    found = verdicts(gone, run(TOOLS, ("images", 10.0), ("compress", 40.0)), run(FLOOR, ("compress", 2.0)))
    assert found["emission: 10 times as fast as mke2fs, gzip and md5sum"] == ("12.5 times", targets.MET)
    assert found["emission: at most 1.5 times the floor"] == ("2.00 times", targets.NOT_MET)


def test_the_steps_of_emission_are_still_named_so() -> None:
    sources = "".join(path.read_text(encoding="utf-8") for path in Path(fuel_image.__file__).parent.rglob("*.py"))
    assert [title for title in EMISSION if f'step("{title}"' not in sources] == []


@pytest.mark.parametrize(("at_once", "verdict"), [(10.0, targets.MET), (10.1, targets.NOT_MET)])
def test_together(at_once: float, verdict: str) -> None:
    both = run("two together", ("at once", at_once), ("one after the other", 10.0), duplicates=0, fetched=9)
    found = verdicts(both)
    assert found["two together: no longer than one after the other"][1] == verdict
    assert found["two together: nothing fetched twice"] == ("0 files twice", targets.MET)


def test_what_no_witness_saw_is_not_measured() -> None:
    unseen = run("two together", ("at once", 1.0), ("one after the other", 2.0), duplicates=0, fetched=0)
    assert verdicts(unseen)["two together: nothing fetched twice"] == ("", targets.NOT_MEASURED)


def test_a_peer_that_wins_is_named() -> None:
    quick = run("mkosi", ("packages", 10.0), ("images", 2.0), ("compress", 1.0), size_bytes=3e8)
    assert report.peer_wins(report.summaries(results(MMDEBSTRAP, quick, COLD))) == [
        "mkosi takes 13.0 s where cold takes 25.0 s.",
        "mkosi takes 3.0 s to make images of a finished tree; cold takes 5.0 s.",
        "mkosi takes 10.0 s until the tree is finished; cold takes 20.0 s.",
        "The images of mmdebstrap take 200 MB, ours 300 MB.",
    ]


def test_the_page_tells_of_failures_but_not_of_the_machine() -> None:
    text = page.page(results(ORIGINAL, COLD, mkosi="packages (exit code 1):\nsomething of this machine"))
    row = next(line for line in text.splitlines() if line.startswith("mkosi"))
    assert row.split() == ["mkosi", "failed", "packages", "(exit", "code", "1)"]
    assert "something of this machine" not in text


def test_the_chart_is_the_same_for_the_same_numbers() -> None:
    found = report.summaries(results(ORIGINAL, COLD))
    assert chart.chart(found) == chart.chart(found)
    assert chart.chart(found).count("<title>") == 6
