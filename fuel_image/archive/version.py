"""Debian version numbers.

Owns their order, as Debian Policy 5.6.12 defines it (and deb-version(7)), and the relations of dependencies.
"""

from __future__ import annotations

import functools
import re
from typing import Callable

_PARTS = re.compile(r"([^0-9]*)([0-9]*)")
_END = ((0,), (0, ""))


@functools.cache
def sort_key(version: str) -> tuple[object, ...]:
    """Return a key that orders versions as dpkg does."""
    epoch, colon, rest = version.partition(":")
    if not colon:
        epoch, rest = "0", version
    upstream, _, revision = rest.rpartition("-") if "-" in rest else (rest, "", "")
    return _number(epoch), _part_key(upstream), _part_key(revision)


def _part_key(part: str) -> tuple[object, ...]:
    """Split into alternating non-digit and digit runs; compare the former by character, the latter as numbers.

    The end of a run, and of the part, sorts after ``~`` and before everything else: the closing 0 and _END see to it.
    A leading 0 looks like an end, so that what follows it is compared with a second one.
    """
    key = [((*map(_weight, text), 0), _number(digits)) for text, digits in _PARTS.findall(part)]
    while key and key[-1] == _END:
        key.pop()
    return (*key, _END, _END)


def _number(digits: str) -> tuple[int, str]:
    """Return a key that orders numbers of any length, which int does not take from a stranger."""
    significant = digits.lstrip("0")
    return len(significant), significant


def _weight(character: str) -> int:
    if character == "~":
        return -1
    return ord(character) if character.isalpha() else ord(character) + 256


_RELATIONS: dict[str, Callable[[tuple[object, ...], tuple[object, ...]], bool]] = {
    "<<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    "=": lambda a, b: a == b,
    ">=": lambda a, b: a >= b,
    ">>": lambda a, b: a > b,
    "<": lambda a, b: a <= b,  # the deprecated spellings of policy 7.1
    ">": lambda a, b: a >= b,
}


def satisfies(version: str, relation: str, wanted: str) -> bool:
    """Tell whether *version* stands in *relation* (such as ``>=``; empty for any version) to *wanted*."""
    if not relation:
        return True
    return _RELATIONS[relation](sort_key(version), sort_key(wanted))
