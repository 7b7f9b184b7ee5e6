"""Keeping dpkg from syncing.

Owns the bringing of libeatmydata into the tree: the library is taken out of the repositories' own package (so that it
fits the tree's C library) and put below /run, which is a tmpfs during the build. Nothing of it is ever in the image.
"""

from __future__ import annotations

import logging
import tarfile
from collections.abc import Sequence
from pathlib import PurePosixPath

from fuel_image.archive.packages import Package
from fuel_image.archive.pool import Pool
from fuel_image.archive.repositories import Repositories
from fuel_image.errors import BuildError
from fuel_image.tree.deb import data_member
from fuel_image.tree.root import Tree

LOG = logging.getLogger(__name__)

PACKAGE = "libeatmydata1"
_LIBRARY = "libeatmydata.so"
_PLACE = PurePosixPath("/run/libeatmydata.so")


def packages(repositories: Repositories) -> tuple[Package, ...]:
    """Return the package that holds the library; if there is none, say so, since the build will then be slower."""
    found = repositories.candidate(PACKAGE)
    if found is None:
        LOG.warning("no repository holds %s: the build works without eatmydata, more slowly", PACKAGE)
        return ()
    return (found,)


def provide(tree: Tree, pool: Pool, packages: Sequence[Package]) -> str | None:
    """Put the library of the package into the tree's /run and return its path there, for LD_PRELOAD."""
    for found in packages:
        return _provide(tree, pool, found)
    return None


def _provide(tree: Tree, pool: Pool, found: Package) -> str:
    with pool.path(found.sha256).open("rb") as deb, tarfile.open(fileobj=data_member(deb), mode="r|") as tar:
        for member in tar:
            if member.isfile() and PurePosixPath(member.name).name.startswith(_LIBRARY):
                content = tar.extractfile(member)
                assert content is not None, "it is a regular file"
                (tree.path / _PLACE.relative_to("/")).write_bytes(content.read())
                return str(_PLACE)
    raise BuildError(f"preparing eatmydata: {found.archive_name} holds no {_LIBRARY}")
