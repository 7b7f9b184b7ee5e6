"""The kernels that packages have installed in a tree.

Owns which of them is the one, and its initial RAM disk. It must not start or change any.
"""

from __future__ import annotations

from fuel_image.archive.version import sort_key
from fuel_image.errors import BuildError
from fuel_image.tree.root import Tree

_BOOT = "/boot"
_KERNELS = ("vmlinuz-", "vmlinux-")
_COPIES = (".signed", ".old", ".bak", ".dpkg-old", ".dpkg-new", ".dpkg-dist")
"""Of a kernel that is there, too: trusty and xenial signed one in a file of its own."""
_RAM_DISK = "initrd.img-"


def newest(tree: Tree) -> str:
    """Return the path of the newest kernel. Raises BuildError when there is none."""
    names = (name for name in tree.names(_BOOT) if name.startswith(_KERNELS))
    found = [name for name in names if not name.endswith(_COPIES)]
    if not found:
        raise BuildError("looking for a kernel: the tree has none in /boot", advice="add a package linux-image-...")
    return f"{_BOOT}/{max(found, key=lambda name: (sort_key(_version(name)), name.startswith(_KERNELS[0])))}"


def ram_disk(tree: Tree) -> str:
    """Return the path of the initial RAM disk of the newest kernel. Raises BuildError when there is none."""
    version = _version(newest(tree))
    path = f"{_BOOT}/{_RAM_DISK}{version}"
    if not tree.exists(path):
        message = f"looking for the initial RAM disk: the tree has none for Linux {version}"
        raise BuildError(message, advice="add the package initramfs-tools")
    return path


def _version(name: str) -> str:
    return name.partition("-")[2]
