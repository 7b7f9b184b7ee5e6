"""What is in a tree, as other tools tell it: find, stat, getfattr and sha256sum, none of which is ours."""

from __future__ import annotations

import subprocess
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

_FIELDS = "%P\\0%y\\0%m\\0%U\\0%G\\0%T@\\0%D:%i\\0%s\\0%l\\0"


class Facts(NamedTuple):
    """A path: its type, mode, owner and time, what it holds, the other names of it, and its extended attributes.

    ACLs and capabilities are attributes, too.
    """

    type: str
    mode: str
    owner: str
    group: str
    time: str
    content: str
    names: frozenset[str]
    attributes: frozenset[str]


def listing(top: Path) -> dict[str, Facts]:
    """Return every path below *top*, itself included, by its name relative to it."""
    digests, attributes, devices = _digests(top), _attributes(top), _devices(top)
    fields = _told(top, "find", ".", "-printf", _FIELDS).split("\0")[:-1]
    rows = [fields[place : place + 9] for place in range(0, len(fields), 9)]
    names = defaultdict(set)
    for path, _, _, _, _, _, inode, _, _ in rows:
        names[inode].add(path)
    found = {}
    for path, kind, mode, owner, group, time, inode, size, target in rows:
        content = {"f": f"{size} {digests.get(path)}", "l": target}.get(kind, devices.get(path, ""))
        facts = Facts(kind, mode, owner, group, time, content, frozenset(names[inode]), attributes.get(path, _NONE))
        found[path] = facts
    return found


_SAID_TWICE = "trusted.SGI_ACL_"
"""xfs tells root of an ACL a second time, in its own form."""
_NONE: frozenset[str] = frozenset()


def _told(top: Path, *argv: str, stdin: str = "") -> str:
    """Return what a program says in the directory *top*; bytes that are no text stay what they are."""
    ended = subprocess.run(argv, check=True, cwd=top, input=stdin.encode("utf-8", "surrogateescape"), stdout=-1)
    return ended.stdout.decode("utf-8", "surrogateescape")


def _of_type(top: Path, *types: str) -> str:
    return _told(top, "find", ".", "(", *" -o ".join(f"-type {one}" for one in types).split(), ")", "-printf", "%P\\0")


def _digests(top: Path) -> dict[str, str]:
    lines = _told(top, "xargs", "-0", "-r", "sha256sum", "--zero", "--", stdin=_of_type(top, "f")).split("\0")
    return {path: digest for digest, _, path in (line.partition("  ") for line in lines)}


def _devices(top: Path) -> dict[str, str]:
    lines = _told(top, "xargs", "-0", "-r", "stat", "--printf", "%t:%T %n\\0", "--", stdin=_of_type(top, "b", "c"))
    return {path: number for number, _, path in (line.partition(" ") for line in lines.split("\0"))}


def _attributes(top: Path) -> dict[str, frozenset[str]]:
    """Ask for every attribute of every path; getfattr writes what is odd in a name in octal."""
    dump = ["getfattr", "--dump", "--match=-", "--no-dereference", "--encoding=hex", "--recursive", "--physical", "."]
    found = {}
    for block in _told(top, *dump).split("\n\n"):
        if block.strip():
            name, *lines = block.strip("\n").split("\n")
            path = name[len("# file: ") :]
            found[_unescaped(path)] = frozenset(line for line in lines if not line.startswith(_SAID_TWICE))
    return found


def _unescaped(name: str) -> str:
    raw = name.encode("utf-8", "surrogateescape").decode("latin-1")
    parts = raw.split("\\")
    text = parts[0] + "".join(chr(int(part[:3], 8)) + part[3:] for part in parts[1:])
    return (
        "" if text == "." else text[text.startswith("./") and 2 :].encode("latin-1").decode("utf-8", "surrogateescape")
    )
