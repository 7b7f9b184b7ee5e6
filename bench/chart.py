"""The chart of stages.

Owns the drawing of medians as an SVG: a bar for each pipeline, a piece for each stage, a colour for each kind of work.
It is text with nothing of the day or the machine in it, so that the same numbers give the same file. It must not
compute anything but places.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape

from bench.report import OURS, THEIRS, Summary

_KINDS = (
    (("compress", "digest"), "compress and digest", "#8c6bb1"),
    (("image", "publish"), "images", "#d95f5f"),
    (("open", "fetch", "choos", "settings"), "choose and fetch", "#9aa5b1"),
    (("base", "bootstrap", "unpack"), "base system", "#4d9078"),
    (("package", "install"), "packages", "#3f78b5"),
)
"""Words of a stage's name, what kind of work it is, and its colour; the first row that fits counts."""
_ELSE = ("other", "#d4c29a")

_WIDTH, _LEFT, _RIGHT = 960, 185, 70
_BAR, _GAP, _TOP = 22, 10, 60
_LETTER = 6.2  # about the width of one at this size; what does not fit is left out


def chart(found: Mapping[str, Summary]) -> str:
    """Return the SVG of all whole builds."""
    names = [name for name in (*THEIRS, *OURS) if name in found]
    longest = max((found[name].seconds.median for name in names), default=1.0)
    scale = (_WIDTH - _LEFT - _RIGHT) / longest
    height = _TOP + len(names) * (_BAR + _GAP) + _GAP
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}">',
        "<style>text { font: 12px sans-serif }</style>",
        f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>',
        *_legend(),
    ]
    for number, name in enumerate(names):
        lines += _bar(name, found[name], _TOP + number * (_BAR + _GAP), scale)
    return "\n".join([*lines, "</svg>", ""])


def _legend() -> Iterator[str]:
    yield f'<text x="{_LEFT}" y="18" font-weight="bold">seconds, medians</text>'
    place = float(_LEFT)
    for label, colour in (*((label, colour) for _, label, colour in _KINDS), _ELSE):
        yield f'<rect x="{place:.0f}" y="30" width="12" height="12" fill="{colour}"/>'
        yield f'<text x="{place + 16:.0f}" y="41">{label}</text>'
        place += 16 + (len(label) + 4) * _LETTER


def _bar(name: str, summary: Summary, top: int, scale: float) -> Iterator[str]:
    middle = top + _BAR // 2 + 4
    label = f"fuel-image, {name}" if name in OURS else name
    yield f'<text x="{_LEFT - 8}" y="{middle}" text-anchor="end">{escape(label)}</text>'
    place = float(_LEFT)
    for stage, seconds in summary.stages:
        width = seconds.median * scale
        yield (
            f'<rect x="{place:.1f}" y="{top}" width="{width:.1f}" height="{_BAR}" fill="{_colour(stage)}"'
            f' stroke="#ffffff" stroke-width="0.5"><title>{escape(stage)}: {seconds.median:.1f} s</title></rect>'
        )
        if len(stage) * _LETTER + 4 < width:
            yield f'<text x="{place + 4:.1f}" y="{middle}" fill="#ffffff">{escape(stage)}</text>'
        place += width
    yield f'<text x="{place + 6:.1f}" y="{middle}">{summary.seconds.median:.1f}</text>'


def _colour(stage: str) -> str:
    name = stage.lower()
    return next((colour for words, _, colour in _KINDS if any(word in name for word in words)), _ELSE[1])
