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
from fuel_image.tree.deb import UNREADABLE, DebError, data_member, opened
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
    """Put the library of the package, if there is one, into the tree's /run; return its path there, for LD_PRELOAD."""
    if not packages:
        return None
    name = packages[0].archive_name
    try:
        with pool.path(packages[0].sha256).open("rb") as deb, opened(data_member(deb)) as tar:
            library = next((tar.extractfile(member) for member in tar if _is_library(member)), None)
            if library is None:
                raise BuildError(f"preparing eatmydata: {name} holds no {_LIBRARY}")
            (tree.path / _PLACE.relative_to("/")).write_bytes(library.read())
    except (DebError, *UNREADABLE) as error:
        raise BuildError(f"preparing eatmydata: {name}: {error}") from error
    return str(_PLACE)


def _is_library(member: tarfile.TarInfo) -> bool:
    return member.isreg() and PurePosixPath(member.name).name.startswith(_LIBRARY)
