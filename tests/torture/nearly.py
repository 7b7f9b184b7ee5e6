"""Bytes that are nearly what a reader expects.

Owns the making of damaged samples: random bytes fail at the first check, and prove nothing of what comes behind it.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from functools import reduce
from typing import Any, Callable

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


ODD_VALUES: Sequence[Any] = (
    *(
        None,
        True,
        False,
        0,
        -1,
        1 << 40,
        10**18,
        10**400,
        0.5,
        1e300,
        float("inf"),
        "",
        " ",
        "/",
        "..",
        "a\nb",
        "\x1b[2J",
    ),
    *(
        "\ud800",
        "é",
        "9" * 30,
        "1" * 5000,
        "99999999TiB",
        "1e9",
        "5%",
        "http://",
        "http://[",
        "file:",
        "https://a:b@c:x/",
    ),
    *(
        [],
        [[]],
        {},
        {"": None},
        [None],
        ["a"],
        {"a": {"b": []}},
        "a" * 300,
        "2001-01-01",
        "//a",
        "/a/../b",
        "http://h:99999/",
    ),
)


def nearly_document(document: Any) -> st.SearchStrategy[Any]:
    """Give a document in which up to four values are gone, odd, elsewhere or under another key."""
    change = st.tuples(st.integers(0, _FAR), st.sampled_from(("gone", "odd", "twice", "renamed")), _values())
    return st.lists(change, max_size=4).map(lambda changes: reduce(_changed, changes, copy.deepcopy(document)))


def _values() -> st.SearchStrategy[Any]:
    scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=8))
    return st.one_of(
        st.sampled_from(ODD_VALUES),
        st.recursive(
            scalars,
            lambda some: st.lists(some, max_size=3) | st.dictionaries(st.text(max_size=5), some, max_size=3),
            max_leaves=6,
        ),
    )


def _changed(document: Any, change: tuple[int, str, Any]) -> Any:
    number, what, value = copy.deepcopy(change)  # or changes to it would be there in the next example
    places = list(_places(document))
    if not places:
        return value
    holder, key = places[number % len(places)]
    if what == "gone":
        del holder[key]
    elif what == "odd":
        holder[key] = value
    elif isinstance(holder, list):
        holder.append(holder[key])
    elif what == "renamed":
        holder[f"{key}s"] = holder.pop(key)
    else:
        holder[f"{key} "] = copy.deepcopy(holder[key])
    return document


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Give every container in a document with each of its keys."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield value, key
        yield from _places(item)
