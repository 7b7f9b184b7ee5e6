"""Crossed paths: one package has a symbolic link where another has a directory.

Owns the finding of them, and the taking back of what such packages put into the tree. For dpkg neither is in the way
of the other: what the first package made stays, and the second one's files go through the link, or its link is passed
over. So such packages have to be unpacked one after another, which is known only when their members have been read.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from fuel_image.tree.root import Tree
from fuel_image.tree.unpack import INFO, Unpacked, qualified


def paths(packages: Collection[Unpacked]) -> tuple[str, ...]:
    """Return the paths that are a link of one package, a directory of another, and new."""
    links = {path for one in packages for path in one.links}
    crossed = {path for one in packages for path in one.directories if path in links}
    made = {path for one in packages for path in (*one.made, *one.written)} if crossed else set()
    return tuple(sorted(crossed & made))


def concern(package: Unpacked, crossed: Collection[str]) -> bool:
    """Tell whether a package has anything at or below *crossed* paths."""
    return any(within(path, crossed) for path in (*package.paths, *package.links))


def take_back(tree: Tree, packages: Collection[Unpacked], crossed: Collection[str]) -> None:
    """Remove what packages put into the tree, but directories elsewhere, which others may use.

    Of a package that is left for dpkg only what is at or below *crossed* paths: there nothing was before.
    """
    gone = {path for one in packages for path in one.written if not one.left or within(path, crossed)}
    gone |= {path for one in packages for path in one.made if within(path, crossed)}
    for path in sorted(gone, reverse=True):  # what is in a directory, or behind a link, comes before it
        if not tree.is_dir(path) or not tree.names(path):
            tree.remove(path)
    names = {qualified(one.control) for one in packages if not one.left}
    for name in tree.names(INFO):
        if name.rpartition(".")[0] in names:
            tree.remove(f"{INFO}/{name}")


def within(path: str, crossed: Iterable[str]) -> bool:
    """Tell whether a path is one of *crossed*, or below one."""
    return any(path == one or path.startswith(f"{one}/") for one in crossed)
