"""Unpacking packages into a tree without dpkg, several at a time.

Owns what dpkg's own unpacking would do with a package that is new to the tree and has no preinst script: its files, its
directories, its conffiles under their ``.dpkg-new`` names (dpkg's configuring puts them in place), its control files in
dpkg's database. What cannot be done exactly so is left for dpkg: a package with a preinst, one that is installed in
another version, one of whose paths is there already: only dpkg knows who may have it (Replaces, diversions), and one
whose parents are not there: another package may bring them.

As a program, ``python -m fuel_image.tree.unpack ROOT REPORT [--all]`` unpacks the files named on standard input, one
absolute path a line: it makes ROOT its root, and only then writes, so that no path or link in a package can lead out of
the tree. With ``--all`` it unpacks what is left for dpkg too, so that programs run in a tree that has no dpkg yet.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import sys
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, BinaryIO

from fuel_image.archive import stanza
from fuel_image.host import kernel
from fuel_image.tree.deb import UNREADABLE, ControlFile, DebError, control_files, data_member, members, opened
from fuel_image.tree.known import Known
from fuel_image.tree.members import Places, make_directory, path_of

INFO = "/var/lib/dpkg/info"
_NAME = re.compile(r"[a-z0-9][a-z0-9+.-]*")
"""Debian Policy 5.6.1; architectures look like this too."""


class LeftError(Exception):
    """Only dpkg knows what to do with a package."""


@dataclass
class Unpacked:
    """What became of a package; with *left* it is not in dpkg's database.

    *control* and *triggers* are control files of its own, *conffiles* the flags of these by path (deb-conffiles(5)),
    empty for most, *directories* those that it has, with mode, owner, group and time, *made* those of them that were
    not there, *links* its symbolic links, and *written* all that it made but directories.
    """

    control: str
    left: bool = False
    conffiles: dict[str, str] = field(default_factory=dict)
    triggers: str = ""
    paths: list[str] = field(default_factory=list)
    directories: dict[str, tuple[int, int, int, int]] = field(default_factory=dict)
    made: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    written: list[str] = field(default_factory=list)


def unpack(deb: BinaryIO, known: Known, *, everything: bool) -> Unpacked:
    """Unpack a package below the current root, which must be the tree's; with *everything* also one left for dpkg."""
    control = control_files(deb)
    conffiles = _conffiles(_text(control, "conffiles"))
    done = Unpacked(_text(control, "control"), False, conffiles, _text(control, "triggers"))
    done.left = "preinst" in control or os.path.lexists(f"{INFO}/{qualified(done.control)}.list")
    if not done.left:
        places = Places(frozenset(conffiles), digests=None if "md5sums" in control else {})
        try:
            _unpack_data(deb, done, known, places)
        except LeftError:
            while done.written:
                os.unlink(done.written.pop())
            done.left = True
        else:
            _register(control, done, places.digests)
    if done.left and everything:
        _unpack_data(deb, done, known, Places(replace=True))
    return done


def _text(control: Mapping[str, ControlFile], name: str) -> str:
    return control[name].content.decode("utf-8", "surrogateescape") if name in control else ""


def _conffiles(text: str) -> dict[str, str]:
    lines = (line.rstrip().partition("/") for line in text.split("\n"))
    return {slash + rest: flag.strip() for flag, slash, rest in lines if slash}


def _unpack_data(deb: BinaryIO, done: Unpacked, known: Known, places: Places) -> None:
    """Unpack the files, and note them in *done*."""
    done.paths.clear()
    with opened(data_member(deb)) as tar:
        links = []
        for member in members(tar):
            member.mode &= 0o7777
            known.set_owner(member)
            if member.issym():
                links.append(member)  # dpkg makes them last, too
            else:
                _place(member, tar.extractfile(member) if member.isreg() else None, done, known, places)
        done.links = [path_of(member.name) for member in links]
        for member in links:
            _place(member, None, done, known, places)


def _place(member: tarfile.TarInfo, content: IO[bytes] | None, done: Unpacked, known: Known, places: Places) -> None:
    path = path_of(member.name)
    done.paths.append(path)
    if path in known.special and not places.replace:
        raise LeftError
    try:
        if member.isdir():
            done.directories[path] = (member.mode, member.uid, member.gid, int(member.mtime))
            if make_directory(path, member):
                done.made.append(path)
        elif target := places.make(path, member, content):
            done.written.append(target)
    except (FileExistsError, FileNotFoundError, NotADirectoryError) as error:
        if not places.replace:
            raise LeftError from error  # otherwise dpkg unpacks it again, when what it needs is there


def _register(control: Mapping[str, ControlFile], done: Unpacked, digests: Mapping[str, str] | None) -> None:
    """Put a package's control files, the list of its paths, and *digests* if it has none where dpkg keeps them."""
    name = qualified(done.control)
    _write(f"{INFO}/{name}.list", "".join(f"{'/.' if path == '/' else path}\n" for path in done.paths))
    if digests is not None:
        _write(f"{INFO}/{name}.md5sums", "".join(f"{digest}  {path[1:]}\n" for path, digest in digests.items()))
    for key, file in control.items():
        if key not in ("control", "list"):
            with open(f"{INFO}/{name}.{key}", "wb") as out:
                out.write(file.content)
                out.flush()
                os.fchmod(out.fileno(), file.mode)
                os.utime(out.fileno(), (file.mtime, file.mtime))


def _write(path: str, text: str) -> None:
    with open(path, "wb") as out:
        out.write(text.encode("utf-8", "surrogateescape"))


def qualified(control: str) -> str:
    """Return the name under which dpkg files a package: with the architecture if several may be installed."""
    fields = stanza.parse(control)
    name, architecture = fields.get("package", ""), fields.get("architecture", "")
    for text, what in ((name, "package name"), (architecture, "architecture")):
        if not _NAME.fullmatch(text):
            raise DebError(f"{text!r} is no {what}")
    return f"{name}:{architecture}" if fields.get("multi-arch") == "same" else name


def main(arguments: list[str]) -> int:
    """Unpack the packages named on standard input into the tree ``arguments[0]``, and report to ``arguments[1]``."""
    root, report, *options = arguments
    host = os.open("/", os.O_PATH | os.O_DIRECTORY)
    paths = sys.stdin.read().splitlines()
    with Path(report).open("w", encoding="ascii") as out:
        # Whatever Python may want to import later, to print a traceback or so, it would take out of the tree.
        sys.meta_path.clear()
        os.chroot(root)
        os.chdir("/")
        os.umask(0o022)
        with contextlib.suppress(FileExistsError):
            os.makedirs(INFO)
        known = Known.read()
        done = {}
        for path in paths:
            try:
                # One after another: there may be more packages than a process may have files open.
                with os.fdopen(kernel.open_in_root(host, path, os.O_RDONLY), "rb") as deb:
                    done[path] = vars(unpack(deb, known, everything="--all" in options))
            except (DebError, *UNREADABLE) as error:
                sys.stderr.write(f"{os.path.basename(path)}: {str(error) or type(error).__name__}\n")
                return 1
        out.write(json.dumps(done))  # several times as quick as json.dump
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
