"""A shell in a tree in which a step has failed.

Owns when it is offered and what the person is told. It must not repair anything: the build fails all the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from fuel_image import progress
from fuel_image.errors import FuelImageError
from fuel_image.tree.chroot import Chroot

_SHELLS = ("/bin/bash", "/bin/sh")


@contextmanager
def offered(chroot: Chroot, *, wanted: bool) -> Iterator[None]:
    """When the block fails, open a shell in the tree if one is *wanted*, and let the build fail when it ends."""
    try:
        yield
    except FuelImageError as error:
        shell = next((path for path in _SHELLS if chroot.tree.exists(path)), None)
        if wanted and shell is not None:
            with progress.paused():
                progress.console_lines(f"\n{error}\n\nThis is a shell in the tree; the build ends with it.")
                chroot.enter(shell)
        raise
