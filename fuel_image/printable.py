"""Text from outside, made fit to be shown.

Owns what is done about characters that a terminal or a reader would obey instead of showing them: escape sequences that
rewrite the screen, control characters, marks that turn the direction of what follows. Everything that a build says
passes through here, since what it says of packages, files and answers is worded by whoever made them. It must not know
where text goes.
"""

from __future__ import annotations

import re

# The categories Cc but tab and line feed, Cf, Cs, Zl and Zp of Unicode, in a few ranges.
_OBEYED = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u0600-\u0605\u061c\u070f\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff"
    "\ufeff\ufff9-\ufffb\U000110bd\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e007f]"
)


def legible(text: str) -> str:
    r"""Return *text* with such characters written as Python writes them (``\x1b``); its lines stay lines."""
    return _OBEYED.sub(_written, text)


def one_line(text: str) -> str:
    r"""Return *text* with line feeds written as ``\n`` too: a name that holds one must not pass for two lines."""
    return legible(text).replace("\n", "\\n")


def _written(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode("ascii")
