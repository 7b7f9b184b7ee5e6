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
    fields: dict[str, str] = {}
    name = ""
    for line in text.splitlines():
        if line[:1] in (" ", "\t"):
            if name:
                fields[name] += "\n" + line.strip()
            continue
        key, colon, value = line.partition(":")
        name = key.strip().lower()
        if not colon or not name or name in fields:
            name = ""
            continue
        fields[name] = value.strip()
    return fields
