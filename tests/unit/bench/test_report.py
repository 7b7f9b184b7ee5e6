"""What follows from given numbers."""

from __future__ import annotations

from bench import report

from .runs import COLD, MMDEBSTRAP, TO_A_TAR_FILE, results, run


def test_a_median_has_a_spread() -> None:
    three = [run("cold", ("one", seconds)) for seconds in (3.0, 1.0, 2.0)]
    assert report.summaries(results(*three))["cold"].seconds == report.Spread(2.0, 1.0, 3.0)


def test_stages_of_one_name_are_added_up() -> None:
    summary = report.summaries(results(run("cold", ("fetch", 1.0), ("install", 2.0), ("fetch", 3.0))))["cold"]
    assert [(name, seconds.median) for name, seconds in summary.stages] == [("fetch", 4.0), ("install", 2.0)]


def test_a_peer_that_wins_is_named() -> None:
    quick = run("mkosi", ("packages", 10.0), ("images", 2.0), ("compress", 1.0))
    assert report.peer_wins(report.summaries(results(MMDEBSTRAP, TO_A_TAR_FILE, quick, COLD))) == [
        "mkosi takes 13.0 s where cold takes 25.0 s.",
        "mkosi takes 3.0 s to make images of a finished tree; cold takes 5.0 s.",
        "mkosi takes 10.0 s until the tree is finished; cold takes 20.0 s.",
        "The images of mmdebstrap take 200 MB, ours 300 MB.",
    ]
