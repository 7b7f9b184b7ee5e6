"""The means of a build: what every stage of it needs, and its ways into a tree.

Owns how a stage fetches packages and runs programs in a tree. It must not know what the stages are.
"""

from __future__ import annotations

import dataclasses
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from fuel_image.archive.choices import Choices
from fuel_image.archive.fetch import Fetcher
from fuel_image.archive.packages import Package
from fuel_image.archive.repositories import Repositories
from fuel_image.host import kernel
from fuel_image.host.mounts import bound
from fuel_image.plan import Plan
from fuel_image.progress import step
from fuel_image.tree import apt, chroot, eatmydata, layers, shell
from fuel_image.tree.chroot import Chroot
from fuel_image.tree.devices import entered
from fuel_image.tree.layers import Layer, Store
from fuel_image.tree.root import Tree
from fuel_image.tree.times import Times


@dataclass(frozen=True)
class Means:
    """What one build works with.

    *digests* is where is kept what apt makes of indices, *elements* what hooks keep; with *shell* a step that fails in
    a tree opens a shell there.
    """

    plan: Plan
    fetcher: Fetcher
    repositories: Repositories
    store: Store
    choices: Choices
    times: Times
    eatmydata: Sequence[Package]
    digests: Path | None
    work: Path
    elements: Path
    script_limit_seconds: int
    shell: bool

    def fetch(self, title: str, packages: Sequence[Package], stopped: threading.Event | None = None) -> None:
        """Bring packages into the pool, and with them the library that keeps them from syncing."""
        with step(title) as fetching:
            wanted = [self.repositories.wanted(one) for one in (*packages, *self.eatmydata)]
            self.fetcher.fetch(wanted, fetching, stopped=stopped)

    @contextmanager
    def inside(self, tree: Tree) -> Iterator[Chroot]:
        """Give a way to run programs in the tree: with the pool in sight, without services, without syncing."""
        with ExitStack() as stack:
            stack.enter_context(entered(tree))
            stack.enter_context(chroot.services_forbidden(tree))
            tree.mkdir(chroot.POOL)
            flags = kernel.MS_RDONLY | kernel.MS_NODEV | kernel.MS_NOSUID
            stack.enter_context(bound(self.fetcher.pool.directory, tree.path / chroot.POOL.lstrip("/"), flags))
            preload = eatmydata.provide(tree, self.fetcher.pool, self.eatmydata)
            environment = {**apt.ENVIRONMENT, "SOURCE_DATE_EPOCH": str(self.times.instead)}
            inside = Chroot(tree, self.script_limit_seconds, preload, environment)
            with shell.offered(inside, wanted=self.shell):
                yield inside

    @contextmanager
    def inside_copy(self, layer: Layer) -> Iterator[Chroot]:
        """Give a way to run programs in a tree that starts as *layer* and is thrown away."""
        without = dataclasses.replace(self, eatmydata=())  # it may not be fetched yet, and nothing syncs
        directory = Path(tempfile.mkdtemp(prefix="on-", dir=self.work))
        with layers.mounted_on(layer, directory) as tree, without.inside(tree) as inside:
            yield inside
