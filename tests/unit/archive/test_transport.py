"""What an answer says of itself."""

from __future__ import annotations

from email.utils import formatdate

import pytest

from fuel_image.archive import transport

NOW = 1_700_000_000


@pytest.mark.parametrize(
    ("after", "seconds"),
    [
        ("", 0),
        ("7", 7),
        ("3600", 60),
        ("9" * 18, 60),
        ("9" * 5000, 0),
        ("-1", 0),
        ("soon", 0),
        (formatdate(NOW + 7, usegmt=True), 7),
        (formatdate(NOW + 3600, usegmt=True), 60),
        (formatdate(NOW - 7, usegmt=True), 0),
        ("Thu, 99 Nov 2023 00:00:00 GMT", 0),
        ("Thu, 16 Nov 99999 00:00:00 GMT", 0),
    ],
)
def test_how_long_a_mirror_asks_to_be_left_alone(after: str, seconds: float) -> None:
    """By the mirror's own clock, and not beyond a minute."""
    assert transport._asked_seconds(after, formatdate(NOW, usegmt=True)) == seconds


def test_a_mirror_without_a_clock() -> None:
    assert transport._asked_seconds(formatdate(4e9, usegmt=True), "") == 60
