"""Files that a request puts into the tree.

Owns the writing of them, with their owners and modes. It must not know what they are for.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

from fuel_image.customisation.asked import Content, File
from fuel_image.errors import Problem
from fuel_image.tree import clean, users
from fuel_image.tree.root import Tree


def problems(files: Sequence[File]) -> Iterable[Problem]:
    """Find files that would not be in the image, because what is there never is."""
    for number, file in enumerate(files):
        if clean.removes(file.path):
            yield Problem(f"$.files[{number}].path", f"no image holds {file.path}: a build removes or empties it")


def write_all(tree: Tree, files: Sequence[File]) -> None:
    """Write the files. Raises BuildError."""
    for file in files:
        uid, gid = users.owner(tree, file.owner, doing=f"writing {file.path}")
        tree.mkdir(str(PurePosixPath(file.path).parent))
        write(tree, file.path, file.content)
        tree.give(file.path, uid, gid, file.mode)


def write(tree: Tree, path: str, content: Content, *, mode: int = 0o600) -> None:
    """Write content to a file, whose directory is there; *mode* is that of one that was not there before."""
    with tree.writing(path, mode=mode) as out:
        for chunk in content.chunks():
            out.write(chunk)
