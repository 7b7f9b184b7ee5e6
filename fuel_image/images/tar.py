"""A tree as a tar archive.

Owns how one is written, so that the same tree gives the same bytes and nothing that it is made of is lost, and the look
whether it holds the tree. GNU tar does both. It must not compress.
"""

from __future__ import annotations

import os
from pathlib import Path

from fuel_image.errors import BuildError
from fuel_image.host.command import run
from fuel_image.images.contents import Inventory

_FAITHFUL = (
    "--numeric-owner",
    "--acls",
    "--xattrs",
    "--xattrs-include=*",
    "--xattrs-exclude=security.selinux",  # the host's, where it has any
)
_SAME_BYTES = (
    "--format=posix",
    # By default the names of extended headers hold tar's process number, and two of them the time of reading.
    "--pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime",
)


def make(archive: Path, top: Path, inventory: Inventory) -> None:
    """Write the tree at *top* to *archive*: the paths in the order of their bytes, each below its directory.

    Raises BuildError.
    """
    names = archive.with_suffix(".names")
    names.write_bytes(b"".join(os.fsencode(path) + b"\0" for path in inventory.ordered))
    run(
        *("tar", "--create", f"--file={archive}", *_FAITHFUL, *_SAME_BYTES),
        *(f"--directory={top}", "--no-recursion", "--null", f"--files-from={names}"),
        doing="writing the tree into an archive",
    )
    names.unlink()


def check(archive: Path, top: Path, inventory: Inventory) -> None:
    """Raise BuildError unless *archive* holds every path of the tree at *top*, as it is there, byte by byte."""
    listed = archive.with_suffix(".listed")
    run(
        *("tar", "--compare", "--verbose", f"--file={archive}", f"--directory={top}", "--quoting-style=escape"),
        *(f"--index-file={listed}", "--numeric-owner"),
        doing=f"comparing {archive.stem} with the tree",
    )
    found = listed.read_bytes().count(b"\n")
    listed.unlink()
    if found != len(inventory.entries):
        message = f"it holds {found:,} of {len(inventory.entries):,} paths"
        raise BuildError(
            f"comparing {archive.stem} with the tree: {message}", advice="a package may have left a socket in the tree"
        )
