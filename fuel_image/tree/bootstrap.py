"""The first packages of an empty tree.

Owns the way from nothing to a tree whose own dpkg and apt work, on a host that has neither: the base packages are
unpacked by our own code, then the tree's dpkg configures them. It must not choose packages.
"""

from __future__ import annotations

from collections.abc import Sequence

from fuel_image.archive.packages import Package
from fuel_image.archive.pool import Pool
from fuel_image.progress import step
from fuel_image.suites import Suite
from fuel_image.tree import ahead, database
from fuel_image.tree.chroot import Chroot, visible
from fuel_image.tree.root import Tree

_FIRST = "base-passwd"
"""It makes the users and groups that other packages' scripts name."""
_CORE = ("base-files", "dpkg", "libc6", "perl-base", "mawk", "debconf", "debianutils")
"""Configured before all others, because the others' scripts use them without saying so: debootstrap's, and the one that
makes /etc/shells, without which jammy's usrmerge fails.
"""
_MERGED = ("bin", "sbin", "lib")
_MERGED_OF_ARCHITECTURE = {"amd64": ("lib64",), "ppc64el": ("lib64",)}
_USR_IS_MERGED = ("usr-is-merged", "usrmerge")
_DPKG = ("dpkg", "--force-unsafe-io", "--force-confold", "--force-confdef", "--force-depends")


def unpack(tree: Tree, base: Sequence[Package], suite: Suite, arch: str, pool: Pool) -> list[Package]:
    """Unpack the base packages into an empty tree, so that programs run in it; return those that dpkg must redo."""
    with step("Unpacking the base system"):
        if suite.merged_usr or any(package.name in _USR_IS_MERGED for package in base):
            _merge_usr(tree, arch)
        # base-files comes first: where it owns the links of a merged /usr, the others unpack through them.
        ordered = sorted(base, key=lambda package: package.name != "base-files")
        paths = [pool.path(package.sha256) for package in ordered]
        done = [*ahead.unpack(tree, paths[:1], everything=True), *ahead.unpack(tree, paths[1:], everything=True)]
        for name, target in (("/bin/sh", "dash"), ("/usr/bin/awk", "mawk")):
            if not tree.exists(name):  # made by maintainer scripts, which are what needs them
                tree.symlink(name, target)
        database.begin(tree)
        database.add(tree, [one for one in done if not one.left])
        return [package for package, one in zip(ordered, done) if one.left]


def _merge_usr(tree: Tree, arch: str) -> None:
    """Make /bin and its like links into /usr, the same ones as debootstrap."""
    for name in (*_MERGED, *_MERGED_OF_ARCHITECTURE.get(arch, ())):
        tree.mkdir(f"/usr/{name}")
        tree.symlink(f"/{name}", f"usr/{name}")


def install(chroot: Chroot, base: Sequence[Package], left: Sequence[Package], pool: Pool) -> None:
    """Have the tree's dpkg unpack what was *left* for it, and configure all; the pool must be visible in the tree."""

    def on_line(line: str) -> None:
        installing.advance_items(line.startswith("Setting up "))

    with step(f"Installing the {len(base)} packages of the base system", total_items=len(base)) as installing:
        debs = {package.name: visible(package, pool) for package in left}
        first = debs.pop(_FIRST, None)
        argv = ("--configure", _FIRST) if first is None else ("--install", first)
        chroot.run(*_DPKG, *argv, doing=f"installing {_FIRST}", packages=1, on_line=on_line)
        if debs:
            doing = "unpacking the base system with dpkg"
            chroot.run(*_DPKG, "--unpack", *debs.values(), doing=doing, packages=len(debs))
        core = ("--configure", *(package.name for package in base if package.name in _CORE))
        pending = ("--force-configure-any", "--configure", "--pending")
        for what, names in (("the core of the base system", core), ("the base system", pending)):
            chroot.run(*_DPKG, *names, doing=f"configuring {what}", packages=len(base), on_line=on_line)
