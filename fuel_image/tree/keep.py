"""A copy of the tree that stays after the build, to be looked at.

Owns where it may be put and that it appears whole. It must not change the tree.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from fuel_image.errors import HostError
from fuel_image.host.command import run
from fuel_image.host.workspace import remove_tree
from fuel_image.progress import step
from fuel_image.tree.root import Tree


def check(directory: Path) -> None:
    """Raise HostError unless a copy can appear as *directory*."""
    if os.path.lexists(directory):
        raise HostError(f"keeping the tree: {directory} is there already", advice="name one that does not exist")
    if not directory.parent.is_dir():
        raise HostError(
            f"keeping the tree: there is no directory {directory.parent}", advice="make it, or name another"
        )


def keep(tree: Tree, directory: Path) -> None:
    """Copy the tree, with owners, times, links, attributes and device nodes; *directory* appears when it is whole.

    Only root can enter it: its programs that run as their owner, and its device nodes, are a stranger's on this host.
    """
    new = Path(tempfile.mkdtemp(prefix=f".{directory.name}-", dir=directory.parent))
    try:
        with step(f"Copying the tree to {directory}"):
            # --archive alone says nothing of attributes that it cannot set.
            options = ("--archive", "--preserve=xattr", "--reflink=auto")
            run("cp", *options, f"{tree.path}/.", new, doing=f"copying the tree to {directory}")
        new.chmod(0o700)
        os.rename(new, directory)
    except BaseException:
        remove_tree(new)
        raise
