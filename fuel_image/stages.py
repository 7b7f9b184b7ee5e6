"""The stages of a tree: from nothing to the tree that holds all packages.

Owns what each stage is made from, since its inputs name its layer, and what is done at once. How a thing is done is the
matter of the module whose noun it is. It must not make images.
"""

from __future__ import annotations

import dataclasses
import logging
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fuel_image.archive import resolve
from fuel_image.archive.choices import Choice, Choices
from fuel_image.archive.fetch import Fetcher
from fuel_image.archive.packages import Package
from fuel_image.archive.repositories import Repositories
from fuel_image.errors import BuildError
from fuel_image.host import command, kernel
from fuel_image.host.mounts import bound
from fuel_image.host.tasks import together
from fuel_image.milestones import Milestone, reached
from fuel_image.plan import Plan
from fuel_image.progress import step
from fuel_image.tree import apt, bootstrap, chroot, eatmydata, layers, shell, times
from fuel_image.tree.chroot import Chroot
from fuel_image.tree.layers import Layer, Store
from fuel_image.tree.root import Tree, entered
from fuel_image.tree.times import Times

LOG = logging.getLogger(__name__)

_SMALL_BYTES = 2 << 20
"""A package that brings no more than this to those before it is cheap to install again."""
_PORTIONS = ("The packages", "The small packages at the end")


@dataclass(frozen=True)
class Build:
    """What every stage of one build needs."""

    plan: Plan
    fetcher: Fetcher
    repositories: Repositories
    store: Store
    choices: Choices
    times: Times
    eatmydata: Sequence[Package]
    digests: Path | None
    work: Path
    shell: bool


@dataclass(frozen=True)
class Stage:
    """A state of the tree, and the packages that have been brought in."""

    layer: Layer
    packages: tuple[Package, ...]


@dataclass(frozen=True)
class _Portion:
    """Some of the wishes, and the packages that come with them."""

    title: str
    wishes: tuple[str, ...]
    choice: Choice


@contextmanager
def filled(this: Build, wishes: Sequence[str]) -> Iterator[Stage]:
    """Give the tree with everything that was wished for."""
    with ExitStack() as stack:
        whole = stack.enter_context(_base_system(this, wishes))
        reached(Milestone.BOOTSTRAPPED)
        for portion in _portions(this, whole, wishes):
            whole = stack.enter_context(_with_packages(this, whole, portion))
        yield whole


def _base_packages(this: Build) -> tuple[Package, ...]:
    """Return the first packages of an empty tree."""
    suite, repositories = this.plan.suite, this.repositories
    question = layers.digest(["base", repositories.state(), suite.extra_base])
    return this.choices.recalled(question, lambda: Choice(resolve.base(repositories, suite.extra_base))).packages


def _portions(this: Build, base: Stage, wishes: Sequence[str]) -> list[_Portion]:
    """Return the wishes in portions, each of which is a layer: the small ones at the end are one of their own.

    So what is often changed costs little, and what a layer holds depends on the request and the repositories only. apt
    has chosen for all wishes at once, so that no portion brings in what another makes needless.
    """

    def ask() -> Choice:
        with step("Choosing packages"), _chroot_on(this, base.layer) as inside:
            return apt.choose(inside, this.repositories, wishes, digested=_digested(this, base.packages))

    def ask_for_first() -> Choice:
        with _chroot_on(this, base.layer) as inside:
            return apt.choose(inside, this.repositories, first, only=whole.packages)

    whole = this.choices.recalled(_question(this, base.packages, wishes), ask)
    first = _without_small_tail(this, base.packages, wishes)
    if whole.removed or not 0 < len(first) < len(wishes):
        return [_Portion(_PORTIONS[0], tuple(wishes), whole)]
    question = layers.digest(["first", [one.sha256 for one in (*base.packages, *whole.packages)], first])
    some = this.choices.recalled(question, ask_for_first)
    rest = tuple(one for one in whole.packages if one not in set(some.packages))
    if not rest:
        return [_Portion(_PORTIONS[0], tuple(wishes), whole)]
    return [
        _Portion(_PORTIONS[0], tuple(first), some),
        _Portion(_PORTIONS[1], tuple(wishes[len(first) :]), Choice(rest)),
    ]


def _without_small_tail(this: Build, base: Sequence[Package], wishes: Sequence[str]) -> Sequence[str]:
    """Return the wishes without those at the end that cost little to install again; a default set stays whole."""
    if this.plan.request.packages is None:
        return wishes

    def ask() -> Choice:
        return Choice(resolve.small_tail(this.repositories, base, wishes, _SMALL_BYTES))

    question = layers.digest(["tail", this.repositories.state(), wishes, _SMALL_BYTES])
    return wishes[: len(wishes) - len(this.choices.recalled(question, ask).packages)]


def _question(this: Build, installed: Sequence[Package], wishes: Sequence[str]) -> str:
    """Return the question what apt chooses for *wishes* where these packages are *installed*."""
    return layers.digest(["packages", [one.sha256 for one in installed], this.repositories.state(), wishes])


@contextmanager
def _base_system(this: Build, wishes: Sequence[str]) -> Iterator[Stage]:
    """Give the base system, installed by its own dpkg; meanwhile its apt chooses what comes next, for *wishes*."""
    request, suite, pool = this.plan.request, this.plan.suite, this.fetcher.pool
    base = _base_packages(this)
    apt.check_names(this.repositories, wishes)

    def make(tree: Tree) -> Mapping[str, Any]:
        def go_on(stopped: threading.Event) -> None:
            def ask() -> Choice:
                with step("Choosing packages"):
                    return apt.choose(inside, this.repositories, wishes, digested=_digested(this, base), installed=base)

            try:
                choice = this.choices.recalled(_question(this, base, wishes), ask)
                _fetch(this, "Fetching packages", choice.packages, stopped)
            except BuildError as error:  # the base is none the worse; who needs the packages will ask again and fail
                LOG.debug("looking ahead: %s", error)

        _fetch(this, "Fetching the base system", base)
        left = bootstrap.unpack(tree, base, suite, request.arch, pool)
        with _inside(this, tree) as inside, _beside(go_on):
            bootstrap.install(inside, base, left, pool)
        times.settle(tree, this.times)
        return {}

    inputs = {
        "packages": [package.identity for package in base],
        "arch": request.arch,
        "merged_usr": suite.merged_usr,
        "time": this.times.instead,
    }
    with this.store.layer("The base system", inputs, None, make) as layer:
        yield Stage(layer, base)


@contextmanager
def _beside(task: Callable[[threading.Event], None]) -> Iterator[None]:
    """Do *task* beside the block; it is told when the block fails."""
    stopped = threading.Event()

    def stop() -> None:
        stopped.set()
        command.end_running()

    with together(1, stop) as tasks:
        tasks.start(task, stopped)
        yield


@contextmanager
def _with_packages(this: Build, below: Stage, portion: _Portion) -> Iterator[Stage]:
    """Give a tree with a portion of the packages that were asked for, installed by the tree's own apt."""
    choice = portion.choice

    def make(tree: Tree) -> Mapping[str, Any]:
        _fetch(this, "Fetching packages", choice.packages)
        with _inside(this, tree) as inside:
            found = apt.install(inside, this.repositories, portion.wishes, choice, this.fetcher.pool)
        times.settle(tree, this.times)
        return {"installed": [dataclasses.asdict(one) for one in found]}

    inputs = {
        "packages": [package.identity for package in choice.packages],
        "wishes": portion.wishes,
        "removed": choice.removed,
    }
    with this.store.layer(portion.title, inputs, below.layer, make) as layer:
        yield Stage(layer, (*below.packages, *choice.packages))


def _digested(this: Build, installed: Sequence[Package]) -> Path | None:
    """Return where is kept what the apt among the packages makes of the indices."""
    apts = [one.identity for one in installed if one.name == "apt"]
    return this.digests and this.digests / layers.digest([apts, this.repositories.state()])


@contextmanager
def _chroot_on(this: Build, layer: Layer) -> Iterator[Chroot]:
    """Give a way to run programs in a tree that starts as *layer* and is thrown away."""
    without = dataclasses.replace(this, eatmydata=())  # it may not be fetched yet, and nothing syncs
    directory = Path(tempfile.mkdtemp(prefix="on-", dir=this.work))
    with layers.mounted_on(layer, directory) as tree, _inside(without, tree) as inside:
        yield inside


def _fetch(this: Build, title: str, packages: Sequence[Package], stopped: threading.Event | None = None) -> None:
    with step(title) as fetching:
        wanted = [this.repositories.wanted(one) for one in (*packages, *this.eatmydata)]
        this.fetcher.fetch(wanted, fetching, stopped=stopped)


@contextmanager
def _inside(this: Build, tree: Tree) -> Iterator[Chroot]:
    """Give a way to run programs in the tree: with the pool in sight, without services, without syncing."""
    with ExitStack() as stack:
        stack.enter_context(entered(tree))
        stack.enter_context(chroot.services_forbidden(tree))
        tree.mkdir(chroot.POOL)
        flags = kernel.MS_RDONLY | kernel.MS_NODEV | kernel.MS_NOSUID
        stack.enter_context(bound(this.fetcher.pool.directory, tree.path / chroot.POOL.lstrip("/"), flags))
        preload = eatmydata.provide(tree, this.fetcher.pool, this.eatmydata)
        inside = Chroot(tree, preload, {**apt.ENVIRONMENT, "SOURCE_DATE_EPOCH": str(this.times.instead)})
        with shell.offered(inside, wanted=this.shell):
            yield inside
