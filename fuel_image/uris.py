"""URIs as requests write them."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

_LONGEST_NAME_BYTES = 200  # with what is added to it while it is worked on, a file system takes 255


def split_or_none(url: str) -> Any:
    """Split a URL that has a scheme; None if it is not one."""
    try:
        split = urlsplit(url)
        _ = split.port
    except ValueError:
        return None
    return split if split.scheme and (split.netloc or split.scheme == "file") else None


def file_named(uri: str) -> str | None:
    """Return the last part of a URI's path, which names a file in the output; None if it cannot be a file's name."""
    split = split_or_none(uri)
    name: str = (split.path if split else uri.split("?")[0]).rpartition("/")[2]
    usable = name and not name.startswith(".") and name.isprintable() and len(name.encode()) <= _LONGEST_NAME_BYTES
    return name if usable else None
