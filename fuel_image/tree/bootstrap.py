"""The first packages of an empty tree.

Owns the way from nothing to a tree whose own dpkg and apt work, on a host that has neither: the base packages are
unpacked by our own code, then the tree's dpkg installs each of them properly. The order of the core packages is
debootstrap's. It must not choose packages.
"""

from __future__ import annotations

import concurrent.futures
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from fuel_image.archive.packages import Package
from fuel_image.archive.pool import Pool
from fuel_image.host.command import run
from fuel_image.progress import step
from fuel_image.suites import Suite
from fuel_image.tree.chroot import PACKAGE_PARENT, Chroot, visible
from fuel_image.tree.root import Tree

_CORE = ("base-passwd", "base-files", "dpkg", "libc6", "perl-base", "mawk", "debconf")
"""Installed one after another before all others, because the others' scripts use them without saying so."""
_MERGED = ("bin", "sbin", "lib")
_MERGED_OF_ARCHITECTURE = {"amd64": ("lib64",), "ppc64el": ("lib64",)}
_USR_IS_MERGED = ("usr-is-merged", "usrmerge")
_DPKG = ("dpkg", "--force-unsafe-io", "--force-confold", "--force-confdef", "--force-depends")


def unpack(tree: Tree, base: Sequence[Package], suite: Suite, arch: str, pool: Pool, workers: int) -> None:
    """Unpack the base packages into an empty tree, so that programs run in it."""
    with step("Unpacking the base system"):
        if suite.merged_usr or any(package.name in _USR_IS_MERGED for package in base):
            _merge_usr(tree, arch)
        # base-files comes first: where it owns the links of a merged /usr, the others unpack through them.
        first = [package for package in base if package.name == "base-files"]
        rest = [package for package in base if package.name != "base-files"]
        _unpack_all(tree, [pool.path(package.sha256) for package in first])
        shares = [rest[start::workers] for start in range(workers)]
        with concurrent.futures.ThreadPoolExecutor(workers) as threads:
            for _ in threads.map(lambda share: _unpack_all(tree, [pool.path(p.sha256) for p in share]), shares):
                pass
        for name, target in (("/bin/sh", "dash"), ("/usr/bin/awk", "mawk")):
            if not tree.exists(name):  # made by maintainer scripts, which are what needs them
                tree.symlink(name, target)


def _merge_usr(tree: Tree, arch: str) -> None:
    """Make /bin and its like links into /usr, the same ones as debootstrap."""
    for name in (*_MERGED, *_MERGED_OF_ARCHITECTURE.get(arch, ())):
        tree.mkdir(f"/usr/{name}")
        tree.symlink(f"/{name}", f"usr/{name}")


def _unpack_all(tree: Tree, debs: Iterable[Path]) -> None:
    names = "\n".join(str(deb) for deb in debs)
    if names:
        environment = {"PYTHONPATH": PACKAGE_PARENT}
        run(
            sys.executable,
            "-m",
            "fuel_image.tree.unpack",
            tree.path,
            doing="unpacking the base system",
            stdin=names,
            env=environment,
        )


def install(chroot: Chroot, base: Sequence[Package], pool: Pool) -> None:
    """Have the tree's dpkg install the unpacked base packages; the pool must be visible in the tree."""
    with step(f"Installing the {len(base)} packages of the base system", total_items=len(base)) as installing:
        for name in ("status", "available"):
            chroot.tree.write(f"/var/lib/dpkg/{name}", "")
        debs = {package.name: visible(package, pool) for package in base}
        for name in _CORE:
            if name in debs:
                chroot.run(*_DPKG, "--install", debs[name], doing=f"installing {name}")
        chroot.run(*_DPKG, "--unpack", *debs.values(), doing="unpacking the base system with dpkg")
        chroot.run(
            *(*_DPKG, "--force-configure-any", "--configure", "--pending"),
            doing="configuring the base system",
            on_line=lambda line: installing.advance_items(line.startswith("Setting up ")),
        )
