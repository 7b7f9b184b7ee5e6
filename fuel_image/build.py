"""The whole build on one page.

Owns the order of the steps and how long each thing lives. Everything else is done by the module whose noun it is.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fuel_image import metadata, partitions, published
from fuel_image import plan as plans
from fuel_image.archive import opening, resolve, trust
from fuel_image.archive.choices import Choices
from fuel_image.archive.fetch import Fetcher
from fuel_image.archive.packages import Package
from fuel_image.archive.pool import Pool
from fuel_image.archive.repositories import Repositories
from fuel_image.archive.trust import Answer
from fuel_image.host import kernel, preflight
from fuel_image.host.mounts import bound
from fuel_image.host.turns import turn
from fuel_image.host.workspace import workspace
from fuel_image.plan import Plan
from fuel_image.progress import step
from fuel_image.publish import Artifact, reveal_set, staged
from fuel_image.published import AlreadyBuilt
from fuel_image.request import Request
from fuel_image.tree import apt, bootstrap, chroot, clean, eatmydata, layers, settle, times
from fuel_image.tree.chroot import Chroot
from fuel_image.tree.installed import Installed, installed
from fuel_image.tree.layers import Layer, Store
from fuel_image.tree.root import Tree, entered
from fuel_image.tree.times import Times

_LAYERS_LIMIT_BYTES = 20 << 30
"""What the kept layers may take; the least recently used go first."""
_SMALL_BYTES = 2 << 20
"""A package that brings no more than this to those before it is cheap to install again."""


@dataclass(frozen=True)
class Places:
    """Where the build works, what it keeps there for the next, and whether what an earlier one left or made may do."""

    work_dir: Path
    cache_dir: Path
    use_cache: bool = True
    use_published: bool = True


@dataclass(frozen=True)
class Built:
    """What came of a build."""

    artifacts: tuple[Artifact, ...]
    metadata: Path
    installed: int


@dataclass(frozen=True)
class _Build:
    """What every step of one build needs."""

    plan: Plan
    fetcher: Fetcher
    repositories: Repositories
    times: Times
    eatmydata: Sequence[Package]
    work: Path


@dataclass(frozen=True)
class _Stage:
    """A state of the tree, and the packages that have been brought in."""

    layer: Layer
    packages: tuple[Package, ...]


def build(plan: Plan, places: Places) -> Built | AlreadyBuilt:
    """Make the images of *plan* and publish them with their metadata, unless that has been done.

    The process must be in namespaces of its own (host.namespaces). Raises FuelImageError.
    """
    request = plan.request
    preflight.check(plan.tools, request.arch)
    fetcher = Fetcher(Pool(places.cache_dir / "pool"), request.proxies)
    store = Store(places.cache_dir / "layers", use=places.use_cache)
    choices = Choices(places.cache_dir / "choices", use=places.use_cache)
    with turn(places.work_dir, request.metadata_path), workspace(places.work_dir) as work, ExitStack() as stack:
        answers, already = _asked(request, places, fetcher, work)
        if already is not None:
            return already
        preflight.check_directories((places.work_dir, places.cache_dir, request.output))
        with step("Opening the repositories") as fetching:
            repositories = opening.open_all(answers, request.arch, fetcher, work, fetching)
        plan = _informed(plan, repositories)
        library = choices.recalled(
            layers.digest(["eatmydata", repositories.state()]), lambda: eatmydata.packages(repositories)
        )
        this = _Build(plan, fetcher, repositories, _times(plan, repositories), library, work)
        wishes = _wishes(plan, repositories)
        whole = base = stack.enter_context(_base_system(this, store, choices))
        for some in _portions(this, choices, base, wishes):
            whole = stack.enter_context(_with_packages(this, store, choices, whole, some))
        tree = stack.enter_context(layers.mounted_on(whole.layer, work / "final"))
        with step("Cleaning the tree"):
            settle.settle(tree, request)
            clean.clean(tree)
            times.settle(tree, this.times)
        images = [stack.enter_context(staged(request.output, image.request.filename)) for image in plan.images]
        artifacts = partitions.make_all(tree, plan, images, work, this.times.newer_than)
        inventory = [Installed(**one) for one in whole.layer.record["installed"]]
        last = stack.enter_context(staged(request.output, request.metadata_filename))
        with step("Publishing"):
            origins = _origins(repositories, whole.packages)
            epoch = this.times.newer_than
            record = metadata.document(plan, wishes, repositories, inventory, origins, artifacts, epoch)
            last.file.write(metadata.written(record).encode())
            reveal_set(request.output, images, last)
    store.prune(_LAYERS_LIMIT_BYTES)
    return Built(artifacts, request.metadata_path, len(inventory))


def _asked(
    request: Request, places: Places, fetcher: Fetcher, work: Path
) -> tuple[tuple[Answer, ...], AlreadyBuilt | None]:
    """Ask the repositories for their Release, and see meanwhile whether the set is there already."""
    with step("Asking the repositories"), ExitStack() as stack:
        looking = stack.enter_context(published.examined(request)) if places.use_published else None
        answers = trust.ask_all(request.repositories, fetcher, work)
        standing = looking.result() if looking else published.Standing()
    return answers, published.already_built(standing, answers, request.metadata_path)


def _informed(plan: Plan, repositories: Repositories) -> Plan:
    """Return the plan with what the base repository says of its release."""
    release = repositories[0].release
    return plan if release is None else plans.make(plan.request, release.origin, release.version)


def _times(plan: Plan, repositories: Repositories) -> Times:
    """Return the request's epoch for both, or else what the Release files say."""
    asked = plan.request.source_date_epoch
    if asked is not None:
        return Times(asked, asked)
    newest = repositories.newest_date() or int(time.time())  # an archive without any date: as if made now
    return Times(newest, repositories.base_date() or newest)


def _origins(repositories: Repositories, packages: Sequence[Package]) -> dict[tuple[str, str, str], str]:
    """Return the name of the repository of each package, by name, version and architecture."""
    return {(one.name, one.version, one.architecture): repositories[one.repository].request.name for one in packages}


@contextmanager
def _base_system(this: _Build, store: Store, choices: Choices) -> Iterator[_Stage]:
    """Give the base system: the first packages of an empty tree, installed by its own dpkg."""
    request, suite, pool = this.plan.request, this.plan.suite, this.fetcher.pool
    question = layers.digest(["base", this.repositories.state(), request.arch, suite.extra_base])
    base = choices.recalled(question, lambda: resolve.base(this.repositories, suite.extra_base))

    def make(tree: Tree) -> Mapping[str, Any]:
        _fetch(this, "Fetching the base system", base)
        left = bootstrap.unpack(tree, base, suite, request.arch, pool)
        with _inside(this, tree) as inside:
            bootstrap.install(inside, base, left, pool)
        times.settle(tree, this.times)
        return {}

    inputs = {
        "packages": [package.sha256 for package in base],
        "arch": request.arch,
        "merged_usr": suite.merged_usr,
        "time": this.times.instead,
    }
    with store.layer("The base system", inputs, None, make) as layer:
        yield _Stage(layer, base)


def _portions(this: _Build, choices: Choices, base: _Stage, wishes: Sequence[str]) -> Iterator[Sequence[str]]:
    """Give the wishes in portions, each of which is a layer: the small ones at the end are one of their own.

    So what is often changed costs little, and what a layer holds depends on the request and the repositories only.
    """

    def ask() -> Sequence[Package]:
        apt.check_names(this.repositories, wishes)
        return resolve.small_tail(this.repositories, base.packages, wishes, _SMALL_BYTES)

    tail = choices.recalled(
        layers.digest(["tail", base.layer.key, this.repositories.state(), wishes, _SMALL_BYTES]), ask
    )
    first = len(wishes) - len(tail) if this.plan.request.packages is not None else len(wishes)
    if 0 < first < len(wishes):
        yield wishes[:first]
        yield wishes[first:]
    else:
        yield wishes


@contextmanager
def _with_packages(
    this: _Build, store: Store, choices: Choices, below: _Stage, wishes: Sequence[str]
) -> Iterator[_Stage]:
    """Give a tree with the packages that were asked for, as the tree's own apt chooses them."""
    question = layers.digest(["packages", below.layer.key, this.repositories.state(), wishes])

    def ask() -> Sequence[Package]:
        with step("Choosing packages"), _chroot_on(this, below.layer) as inside:
            apt.configure(inside, this.repositories)
            return apt.choose(inside, this.repositories, wishes)

    chosen = choices.recalled(question, ask)

    def make(tree: Tree) -> Mapping[str, Any]:
        _fetch(this, "Fetching packages", chosen)
        with _inside(this, tree) as inside:
            apt.configure(inside, this.repositories, chosen)
            apt.install(inside, wishes, chosen, this.fetcher.pool, this.repositories.arch)
            found = installed(inside)
        times.settle(tree, this.times)
        return {"installed": [dataclasses.asdict(one) for one in found]}

    inputs = {"packages": [package.sha256 for package in chosen], "wishes": wishes}
    with store.layer("The packages", inputs, below.layer, make) as layer:
        yield _Stage(layer, (*below.packages, *chosen))


@contextmanager
def _chroot_on(this: _Build, layer: Layer) -> Iterator[Chroot]:
    """Give a way to run programs in a tree that starts as *layer* and is thrown away."""
    without = dataclasses.replace(this, eatmydata=())  # it may not be fetched yet, and nothing syncs
    with layers.mounted_on(layer, this.work / f"on-{layer.key}") as tree, _inside(without, tree) as inside:
        yield inside


def _wishes(plan: Plan, repositories: Repositories) -> tuple[str, ...]:
    """Return the packages that were asked for, or what the repositories hold of the default set."""
    return apt.available(repositories, plan.wishes) if plan.request.packages is None else plan.wishes


def _fetch(this: _Build, title: str, packages: Sequence[Package]) -> None:
    with step(title) as fetching:
        this.fetcher.fetch([this.repositories.wanted(one) for one in (*packages, *this.eatmydata)], fetching)


@contextmanager
def _inside(this: _Build, tree: Tree) -> Iterator[Chroot]:
    """Give a way to run programs in the tree: with the pool in sight, without services, without syncing."""
    with ExitStack() as stack:
        stack.enter_context(entered(tree))
        stack.enter_context(chroot.services_forbidden(tree))
        pool_in_tree = tree.path / chroot.POOL.lstrip("/")
        pool_in_tree.mkdir()
        flags = kernel.MS_RDONLY | kernel.MS_NODEV | kernel.MS_NOSUID
        stack.enter_context(bound(this.fetcher.pool.directory, pool_in_tree, flags))
        preload = eatmydata.provide(tree, this.fetcher.pool, this.eatmydata)
        yield Chroot(tree, preload, {**apt.ENVIRONMENT, "SOURCE_DATE_EPOCH": str(this.times.instead)})
