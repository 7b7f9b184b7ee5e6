"""What programs in a tree expect of a machine that runs.

Owns the mounts on /dev and /run, and which of the host's devices are seen there. It must not know which programs run.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from fuel_image.errors import BuildError
from fuel_image.host import kernel
from fuel_image.host.mounts import bound, mounted
from fuel_image.tree.root import Tree

_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
_LINKS = {"fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2", "ptmx": "pts/ptmx"}


@contextmanager
def entered(tree: Tree) -> Iterator[Tree]:
    """Give the tree what programs in it expect for the length of the block: /dev and an empty /run.

    Both are ours: of the host's devices a program sees six that do no harm, and nodes that it makes elsewhere cannot
    be opened (the tree is mounted nodev). What is left in /run never gets into the image.
    """
    for name in ("/dev", "/run", "/proc", "/sys"):
        tree.mkdir(name)
        if not tree.is_dir(name):
            raise BuildError(f"entering the tree: a package made {name} something else than a directory")
    nodev = kernel.MS_NOSUID | kernel.MS_NODEV
    with ExitStack() as stack:
        devices = stack.enter_context(mounted("tmpfs", tree.path / "dev", "tmpfs", nodev, "mode=0755"))
        for name in _DEVICES:
            # A node that is bound can be opened where one that is made cannot.
            (devices / name).touch()
            stack.enter_context(bound(Path("/dev", name), devices / name))
        for name, target in _LINKS.items():
            os.symlink(target, devices / name)
        for name in ("pts", "shm"):
            (devices / name).mkdir()
        options = "newinstance,gid=5,mode=0620,ptmxmode=0666"
        stack.enter_context(mounted("devpts", devices / "pts", "devpts", kernel.MS_NOSUID, options))
        stack.enter_context(mounted("tmpfs", devices / "shm", "tmpfs", nodev, "mode=1777"))
        stack.enter_context(mounted("tmpfs", tree.path / "run", "tmpfs", nodev, "mode=0755"))
        (tree.path / "run" / "lock").mkdir()
        (tree.path / "run" / "lock").chmod(0o1777)
        yield tree
