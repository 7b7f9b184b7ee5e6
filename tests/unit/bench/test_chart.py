"""The chart of stages."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from bench.chart import chart
from bench.report import summaries

from .runs import COLD, MMDEBSTRAP, ORIGINAL, results

SVG = "{http://www.w3.org/2000/svg}"
ROUNDING = 0.2


def bars(svg: str) -> dict[str, list[tuple[float, float, str]]]:
    """Return the pieces with a title by their height on the page: place, width and title."""
    found: dict[str, list[tuple[float, float, str]]] = {}
    for piece in ElementTree.fromstring(svg).iter(f"{SVG}rect"):
        title = piece.findtext(f"{SVG}title")
        if title is not None:
            found.setdefault(piece.attrib["y"], []).append(
                (float(piece.attrib["x"]), float(piece.attrib["width"]), title)
            )
    return found


def test_each_piece_begins_where_the_one_before_ends() -> None:
    runs = (ORIGINAL, MMDEBSTRAP, COLD)
    svg = chart(summaries(results(*runs)))
    drawn = list(bars(svg).values())
    begin = drawn[0][0][0]
    scale = sum(width for _, width, _ in drawn[0]) / ORIGINAL["seconds"]
    assert len(drawn) == len(runs)
    for one, pieces in zip(runs, drawn):
        assert [title for _, _, title in pieces] == [f"{name}: {seconds:.1f} s" for name, seconds in one["stages"]]
        ends = [begin, *(place + width for place, width, _ in pieces)]
        assert [place for place, _, _ in pieces] == pytest.approx(ends[:-1], abs=ROUNDING)
        widths = [seconds * scale for _, seconds in one["stages"]]
        assert [width for _, width, _ in pieces] == pytest.approx(widths, abs=ROUNDING)
    *_, page_width, _ = (float(one) for one in ElementTree.fromstring(svg).attrib["viewBox"].split())
    assert 0.9 * page_width < begin + scale * ORIGINAL["seconds"] < page_width
