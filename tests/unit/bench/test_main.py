"""What is drawn of results that are there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench import __main__ as bench

from .runs import COLD, MMDEBSTRAP, results


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with results in which everything was run."""
    (tmp_path / ".bench").mkdir()
    (tmp_path / ".bench/results.json").write_text(json.dumps(results(MMDEBSTRAP, COLD)))
    monkeypatch.setattr(bench, "CHECKOUT", tmp_path)
    return tmp_path


def redraw(checkout: Path, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> str:
    """Draw the results again and return the page."""
    monkeypatch.setattr("sys.argv", ["bench", "--redraw", *arguments])
    assert bench.main() == 0
    return (checkout / "docs/speed.rst").read_text()


def test_a_remark_stays_with_the_results(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = redraw(checkout, monkeypatch)
    with_remarks = redraw(checkout, monkeypatch, "--remark", "The disk is slow.", "--remark", "word " * 50)
    assert "The disk is slow." not in before and "The disk is slow." in with_remarks
    assert max(len(line) for line in with_remarks.splitlines() if line.startswith("word")) <= 118
    assert redraw(checkout, monkeypatch) == with_remarks


def test_the_chart_is_drawn_beside_the_page(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    redraw(checkout, monkeypatch)
    assert (checkout / "docs/speed.svg").read_text().startswith("<svg")
