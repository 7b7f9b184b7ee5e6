"""Bytes that are nearly what a reader expects.

Owns the making of damaged samples: random bytes fail at the first check, and prove nothing of what comes behind it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Callable

from hypothesis import strategies as st

_Edit = tuple[str, int, int, bytes]
_FAR = 1 << 20
ODD: Sequence[bytes] = (
    *(b"", b"\0", b"\n", b"\n\n", b"\r\n", b" ", b"\t", b"\x1b[2J", b"\x7f", b"\xff", b"\xc2\x85", b"\xe2\x80\xa8"),
    *(b"\xed\xa0\x80", b"\xf0\x9f\x92\xa9", b"0", b"-1", b"1e999", b"nan", b"9" * 30, b"1" * 5000, b"\xd9\xa3"),
    *(
        b"null",
        b"true",
        b"../../../etc/passwd",
        b"/",
        b"%s%n",
        b"$(id)",
        b"a" * 300,
        b":",
        b",",
        b"(",
        b")",
        b"<",
        b">",
    ),
)
"""What readers of text have stumbled over."""


def _edited(content: bytes, edit: _Edit) -> bytes:
    what, place, length, odd = edit
    place %= len(content) + 1
    end = min(len(content), place + length)
    return EDITS[what](content, place, end, odd)


EDITS: dict[str, Callable[[bytes, int, int, bytes], bytes]] = {
    "cut": lambda content, place, _end, _odd: content[:place],
    "drop": lambda content, place, end, _odd: content[:place] + content[end:],
    "insert": lambda content, place, _end, odd: content[:place] + odd + content[place:],
    "replace": lambda content, place, end, odd: content[:place] + odd + content[end:],
    "repeat": lambda content, place, end, _odd: content[:end] + content[place:end] * 3 + content[end:],
    "overwrite": lambda content, place, _end, odd: content[:place] + odd + content[place + len(odd) :],
}


def nearly(*samples: bytes, odd: Sequence[bytes] = ()) -> st.SearchStrategy[bytes]:
    """Give one of *samples* with up to six edits, which may put in pieces of *odd*."""
    pieces = st.one_of(st.sampled_from([*odd, *ODD]), st.binary(max_size=6))
    edit = st.tuples(st.sampled_from(sorted(EDITS)), st.integers(0, _FAR), st.integers(0, 40), pieces)
    return st.builds(
        lambda sample, edits: reduce(_edited, edits, sample), st.sampled_from(samples), st.lists(edit, max_size=6)
    )


def nearly_text(*samples: str, odd: Sequence[str] = ()) -> st.SearchStrategy[str]:
    """Give the same as text, as readers decode what comes from outside."""
    words = [word.encode() for word in odd]
    return nearly(*(sample.encode() for sample in samples), odd=words).map(lambda one: one.decode("utf-8", "replace"))
