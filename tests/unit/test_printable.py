"""What a terminal would obey is shown instead."""

from __future__ import annotations

import sys
import unicodedata

import pytest

from fuel_image.errors import BuildError, Problem, RequestError
from fuel_image.printable import legible, one_line


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, caf\xe9 and \u65e5\u672c\n\tlines", "plain, caf\xe9 and \u65e5\u672c\n\tlines"),
        ("\x1b[2J\x1b]0;title\x07", "\\x1b[2J\\x1b]0;title\\x07"),
        ("\x9b31m\x7f\b\r\0", "\\x9b31m\\x7f\\x08\\r\\x00"),
        ("gpj.\u202etxe \u2066a\u2069 b\u200f", "gpj.\\u202etxe \\u2066a\\u2069 b\\u200f"),
        ("a\u2028b\ufeff\U000e0041\udc80", "a\\u2028b\\ufeff\\U000e0041\\udc80"),
    ],
)
def test_what_is_shown(text: str, shown: str) -> None:
    assert legible(text) == shown
    assert one_line(text) == shown.replace("\n", "\\n")


def test_every_such_character_of_unicode() -> None:
    obeyed = {chr(code) for code in range(sys.maxunicode + 1) if unicodedata.category(chr(code)) in OBEYED} - {
        "\n",
        "\t",
    }
    assert {char for char in obeyed if legible(char) == char} <= HARMLESS
    others = (chr(code) for code in range(sys.maxunicode + 1) if unicodedata.category(chr(code))[0] in "LMNPS")
    assert all(legible(char) == char for char in others)


OBEYED = ("Cc", "Cf", "Cs", "Zl", "Zp")
HARMLESS = {chr(code) for code in (0x06DD, *range(0x0890, 0x0892), 0x08E2, *range(0x13430, 0x13440), 0x110CD)}
"""Marks of Arabic, Kaithi and hieroglyphs, which turn nothing."""


def test_errors_are_shown_so() -> None:
    error = BuildError("making \x1b[1m", advice="see \x1b", tail=["one\ntwo\x1b", "three"])
    assert str(error) == "making \\x1b[1m\n    | one\\ntwo\\x1b\n    | three\n  what to do: see \\x1b"
    listed = RequestError([Problem("$.\x1b", "one\ntwo")])
    assert str(listed) == "the request has a problem:\n  $.\\x1b: one\\ntwo"
