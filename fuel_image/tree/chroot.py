"""Running a program inside the root tree.

Owns the environment that programs in the tree see, ``Chroot.run``, and the forbidding of services. How the tree is
entered is ``inside.py``'s. It must not know which programs are run.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Callable

from fuel_image.archive.packages import Package
from fuel_image.archive.pool import Pool
from fuel_image.errors import CommandError
from fuel_image.host.command import PACKAGE_PARENT, PATH, Output, interactive, run
from fuel_image.tree.account import Account
from fuel_image.tree.inside import NETWORK
from fuel_image.tree.root import Tree

POOL = "/run/pool"
"""Where the pool of fetched packages is seen in the tree, read-only."""

_ENVIRONMENT = {
    "PATH": PATH,
    "HOME": "/root",
    "TERM": "dumb",
    "LC_ALL": "C",
    "LANG": "C",
    "TMPDIR": "/tmp",
    "DEBIAN_FRONTEND": "noninteractive",  # or a build hangs on a dialog (LP1403390)
    "DEBCONF_NONINTERACTIVE_SEEN": "true",
    "DEBCONF_NOWARNINGS": "yes",
    "UCF_FORCE_CONFFOLD": "1",
}


def visible(package: Package, pool: Pool) -> str:
    """Return the path in the tree of a package's file."""
    return f"{POOL}/{pool.path(package.sha256).relative_to(pool.directory)}"


@dataclass(frozen=True)
class Chroot:
    """A way to run programs in *tree*; *preload* is a library inside the tree that they load first.

    *limit_seconds* is how long the scripts of a package may take, and every program that runs none. With *network* they
    are in the host's, as ``inside.py`` says.
    """

    tree: Tree
    limit_seconds: float
    preload: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    network: bool = False

    def run(
        self,
        *argv: str,
        doing: str,
        stdin: str = "",
        packages: int = 0,
        want_output: bool = False,
        advice: str = "",
        on_line: Callable[[str], None] | None = None,
    ) -> Output:
        """Run a program of the tree to its end; see ``host.command.run``.

        Whatever it leaves running ends with it. It sets up so many *packages*, each of which has its own time. Raises
        CommandError that names the package at which it failed.
        """
        account = Account(self.limit_seconds, packages)

        def heed(line: str) -> None:
            account.heed(line)
            if on_line is not None:
                on_line(line)

        try:
            return run(
                *(sys.executable, "-m", "fuel_image.tree.inside", *self._network()),
                self.tree.path,
                *argv,
                doing=doing,
                stdin=stdin,
                env=self._environment(),
                deadline=account.deadline,
                label=argv[0],
                want_output=want_output,
                advice=advice,
                on_line=heed,
            )
        except CommandError as error:
            raise account.worded(error, doing, argv[0]) from error

    def enter(self, shell: str) -> None:
        """Give the terminal to a shell of the tree, until it ends."""
        # Debian's bash shows debian_chroot in its prompt, other shells PS1.
        prompt = {"debian_chroot": "tree", "PS1": "(tree)# "}
        environment = {**self._environment(), "TERM": os.environ.get("TERM", "dumb"), **prompt}
        start = ("-m", "fuel_image.tree.inside", *self._network())
        interactive(sys.executable, *start, self.tree.path, shell, "-i", env=environment)

    def _network(self) -> tuple[str, ...]:
        return (NETWORK,) if self.network else ()

    def _environment(self) -> dict[str, str]:
        environment = {**_ENVIRONMENT, **self.environment, "PYTHONPATH": PACKAGE_PARENT}
        if self.preload is not None:
            environment["FUEL_IMAGE_PRELOAD"] = self.preload
        return environment


_POLICY = "/usr/sbin/policy-rc.d"


@contextmanager
def services_forbidden(tree: Tree) -> Iterator[None]:
    """Keep packages from starting services for the length of the block (invoke-rc.d(8); 101 means forbidden).

    A policy-rc.d that a package brings is put back at the end.
    """
    tree.mkdir("/usr/sbin")
    kept = tree.read(_POLICY) if tree.is_file(_POLICY) else None
    tree.write(_POLICY, "#!/bin/sh\nexit 101\n", mode=0o755)
    try:
        yield
    finally:
        tree.remove(_POLICY)
        if kept is not None:
            tree.write(_POLICY, kept, mode=0o755)
