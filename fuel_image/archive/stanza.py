"""The control-file syntax that Release and Packages files share.

Owns the reading of one stanza (deb-control(5), Debian Policy 5.1): ``Name: value`` lines, continued by lines that
begin with a blank. It must not know what any field means.
"""

from __future__ import annotations


def parse(text: str) -> dict[str, str]:
    """Return the fields of a stanza by lower-case name; continuation lines keep their line breaks.

    Lines that are no field (a stray armour line, garbage) are passed over: what is missing is found by whoever needs
    it, with a better message than a parser could give. The first of a repeated field counts.
    """
    fields: dict[str, list[str]] = {}
    lines: list[str] = []  # of the field that is being read; there are hundreds of thousands in a Release
    for line in text.split("\n"):
        if line[:1] in (" ", "\t"):
            lines.append(line.strip())
            continue
        key, colon, value = line.partition(":")
        name, lines = key.strip().lower(), [value.strip()]
        if colon and name:
            fields.setdefault(name, lines)
    return {name: "\n".join(lines) for name, lines in fields.items()}
