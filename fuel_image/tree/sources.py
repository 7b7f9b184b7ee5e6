"""The repositories that the tree's own apt knows, where elements install packages by themselves.

Owns /etc/apt/sources.list in the tree. It must not fetch anything.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import urlsplit, urlunsplit

from fuel_image.archive.repositories import Repositories
from fuel_image.archive.trust import is_local
from fuel_image.request import Repository
from fuel_image.tree.root import Tree

_LIST, _KEYRINGS = "/etc/apt/sources.list", "/etc/apt/keyrings"
_ODD = re.compile(r"[^A-Za-z0-9._-]")


def lines(repositories: Repositories, is_direct: Callable[[str], bool]) -> list[str]:
    """Return the repositories of the request as lines of sources.list(5), without credentials.

    One on this machine, which may be unsigned, is marked as trusted, as is one of which the request says so.
    """
    found = []
    for one in repositories:
        options = ""
        if one.request.trusted or is_local(one.request, is_direct):
            options = "[trusted=yes] "
        elif _has_text(one.request):
            options = f"[signed-by={_keyring(one.request)}] "
        components = " ".join(one.request.components)
        found.append(f"deb {options}{public(one.request)} {one.request.suite} {components}".rstrip())
    return found


def write(tree: Tree, repositories: Repositories, is_direct: Callable[[str], bool]) -> None:
    """Write the lines, and the keys that they name."""
    tree.write(_LIST, "".join(f"{line}\n" for line in lines(repositories, is_direct)))
    tree.mkdir(_KEYRINGS)
    for one in repositories:
        if _has_text(one.request):
            tree.write(_keyring(one.request), f"{one.request.key}\n")


def _has_text(repository: Repository) -> bool:
    """Tell whether a repository brings the text of its key."""
    return repository.key is not None and repository.key.lstrip().startswith("-----")


def _keyring(repository: Repository) -> str:
    return f"{_KEYRINGS}/{_ODD.sub('-', repository.name)}.asc"


def public(repository: Repository) -> str:
    """Return the first URI of a repository without its credentials."""
    split = urlsplit(repository.uris[0])
    return urlunsplit(split._replace(netloc=split.netloc.rpartition("@")[2]))
