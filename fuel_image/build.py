"""The whole build on one page.

Owns the order of the steps and how long each thing lives. Everything else is done by the module whose noun it is.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from fuel_image import checksums, disks, exports, metadata, partitions, published, stages
from fuel_image import plan as plans
from fuel_image.archive import opening, trust
from fuel_image.archive.choices import Choice, Choices
from fuel_image.archive.fetch import Fetcher, Limits
from fuel_image.archive.packages import Package
from fuel_image.archive.pool import Pool
from fuel_image.archive.repositories import Repositories
from fuel_image.archive.seen import Seen
from fuel_image.archive.trust import Answer, Inquiry
from fuel_image.host import preflight
from fuel_image.host.files import keep_newest
from fuel_image.host.turns import turn
from fuel_image.host.workspace import remove_tree, workspace
from fuel_image.means import Means
from fuel_image.milestones import Milestone, reached
from fuel_image.plan import Plan, PlannedDisk
from fuel_image.progress import step
from fuel_image.publish import Artifact, Staged, reveal_set, staged
from fuel_image.published import AlreadyBuilt
from fuel_image.request import Request
from fuel_image.settings import Settings
from fuel_image.stages import Stage
from fuel_image.tree import apt, clean, eatmydata, keep, layers, settle, times
from fuel_image.tree.explain import Explainer, Unkept
from fuel_image.tree.installed import Installed
from fuel_image.tree.layers import Layer, Store
from fuel_image.tree.root import Tree
from fuel_image.tree.times import Times

LOG = logging.getLogger(__name__)

LAYERS, POOL, _CHOICES, _APT, _SEEN, _ELEMENTS = "layers", "pool", "choices", "apt", "seen", "elements"
"""What the cache directory holds."""
_KEPT_FILES = {_CHOICES: 1000, _APT: 4, _SEEN: 1000}


@dataclass(frozen=True)
class Options:
    """What one run is told beside its request and the site's settings.

    What an earlier build kept or published may serve; *keep_tree* is where a copy of the tree stays; with *shell* a
    step that fails in the tree opens a shell there.
    """

    use_cache: bool = True
    use_published: bool = True
    keep_tree: Path | None = None
    shell: bool = False


@dataclass(frozen=True)
class Built:
    """What came of a build."""

    artifacts: tuple[Artifact, ...]
    metadata: Path
    installed: int


def build(plan: Plan, settings: Settings, options: Options) -> Built | AlreadyBuilt:
    """Make the images of *plan* and publish them with their metadata, unless that has been done.

    The process must be in namespaces of its own (host.namespaces). Raises FuelImageError.
    """
    request = plan.request
    reached(Milestone.BEGUN)
    preflight.check(plan.tools, request.arch)
    if options.keep_tree is not None:
        keep.check(options.keep_tree)
    with ExitStack() as stack:
        stack.enter_context(turn(settings.work_dir, request.metadata_path))
        fetcher = stack.enter_context(_fetcher(request, settings))
        work = stack.enter_context(workspace(settings.work_dir))
        inquiry = Inquiry(fetcher, work, Seen(settings.cache_dir / _SEEN))
        answers, already = _asked(request, options, inquiry)
        if already is not None:
            return already
        preflight.check_directories((settings.work_dir, settings.cache_dir), request.output)
        checksums.check(request, work)
        store = Store(settings.cache_dir / LAYERS, use=options.use_cache)
        means, wishes = _ready(plan, settings, options, inquiry, store, answers)
        reached(Milestone.SHIPPING)
        whole = stack.enter_context(stages.filled(means, wishes))
        reached(Milestone.INSTALLED)
        outs = {name: stack.enter_context(staged(request.output, name)) for name in request.filenames}
        artifacts = _of_the_tree(means, whole, outs, work, options)
        for disk in means.plan.disks:
            artifacts += (_disk(means, whole, disk, outs[disk.request.filename], work),)
        inventory = [Installed(**one) for one in whole.layer.record["installed"]]
        last = stack.enter_context(staged(request.output, request.metadata_filename))
        with step("Publishing"):
            origins = _origins(means.repositories, whole.packages)
            epoch = means.times.newer_than
            record = metadata.document(means.plan, wishes, means.repositories, inventory, origins, artifacts, epoch)
            text = metadata.written(record).encode()
            last.file.write(text)
            digests = {one.filename: one.packed.sha256 for one in artifacts}
            digests[last.name] = hashlib.sha256(text).hexdigest()
            files = [*outs.values(), *stack.enter_context(checksums.beside(request, artifacts))]
            reveal_set(request.output, files, last, partial(checksums.listing, request, digests, work))
    prune(settings)
    reached(Milestone.DONE)
    return Built(artifacts, request.metadata_path, len(inventory))


@contextmanager
def _finished(means: Means, layer: Layer, mounts: Sequence[str], directory: Path) -> Iterator[Tree]:
    """Give the tree as it goes into images that are mounted at *mounts*."""
    with layers.mounted_on(layer, directory) as tree:
        with step("Cleaning the tree"):
            settle.settle(tree, means.plan.request)
            clean.clean(tree)
            partitions.make_mount_points(tree, mounts)
            times.settle(tree, means.times)
        yield tree


def _of_the_tree(
    means: Means, whole: Stage, outs: Mapping[str, Staged], work: Path, options: Options
) -> tuple[Artifact, ...]:
    """Make what comes of the tree as it is, without a boot loader, and keep it if that is wanted."""
    plan, epoch = means.plan, means.times.newer_than
    if not (plan.images or plan.request.exports or options.keep_tree):
        return ()
    with _finished(means, whole.layer, [image.request.mount for image in plan.images], work / "final") as tree:
        if options.keep_tree is not None:
            keep.keep(tree, options.keep_tree)
        return (
            *partitions.make_all(tree, plan, outs, work, epoch),
            *exports.make_all(tree, plan, outs, work, epoch),
        )


def _disk(means: Means, whole: Stage, disk: PlannedDisk, out: Staged, work: Path) -> Artifact:
    """Make a disk of the tree, with the boot loader that it takes, in a directory of its own."""
    own = work / f"of-{disk.request.filename}"
    own.mkdir()
    with stages.bootable(means, whole, disk) as layer, _finished(means, layer, disk.mounts, own / "final") as tree:
        return disks.make(tree, means.plan, disk, out, own, means.times.newer_than)


def explain(plan: Plan, settings: Settings) -> tuple[str, ...]:
    """Return, a line each, which kept layers a build of *plan* would use, and why it would make the first other one."""
    request, options = plan.request, Options()
    store = Explainer(settings.cache_dir / LAYERS)
    with _fetcher(request, settings) as fetcher, workspace(settings.work_dir) as work:
        inquiry = Inquiry(fetcher, work, Seen(settings.cache_dir / _SEEN))
        answers = trust.ask_all(request.repositories, inquiry)
        means, wishes = _ready(plan, settings, options, inquiry, store, answers)
        with contextlib.suppress(Unkept), stages.filled(means, wishes):
            pass
    return tuple(store.lines)


def prune(settings: Settings, *, everything: bool = False) -> None:
    """Remove what is kept for later builds, down to the limits of the site, or *everything* that is not in use."""
    Store(settings.cache_dir / LAYERS).prune(0 if everything else settings.layers_limit_bytes)
    Pool(settings.cache_dir / POOL).prune(0 if everything else settings.packages_limit_bytes)
    if everything and (settings.cache_dir / _ELEMENTS).exists():
        remove_tree(settings.cache_dir / _ELEMENTS)
    for name, limit in _KEPT_FILES.items():
        keep_newest(settings.cache_dir / name, 0 if everything else limit)


@contextmanager
def _fetcher(request: Request, settings: Settings) -> Iterator[Fetcher]:
    """Give a fetcher to a pool of which nothing is removed meanwhile."""
    pool = Pool(settings.cache_dir / POOL)
    limits = Limits(settings.connections, settings.bandwidth_limit_bytes)
    with pool.used():
        yield Fetcher(pool, request.proxies, limits, redirects=settings.redirects)


def _ready(
    plan: Plan,
    settings: Settings,
    options: Options,
    inquiry: Inquiry,
    store: Store,
    answers: Sequence[Answer],
) -> tuple[Means, tuple[str, ...]]:
    """Open the repositories; return what every stage needs, and the packages that are wished for."""
    choices = Choices(settings.cache_dir / _CHOICES, use=options.use_cache)
    with step("Opening the repositories") as fetching:
        repositories = opening.open_all(answers, plan.request.arch, inquiry, fetching)
    question = layers.digest(["eatmydata", repositories.state()])
    library = choices.recalled(question, lambda: Choice(tuple(eatmydata.packages(repositories)))).packages
    plan = _informed(plan, repositories)
    digests = settings.cache_dir / _APT if options.use_cache else None
    times = _times(plan, repositories)
    fetcher, work = inquiry.fetcher, inquiry.workspace
    limit = settings.script_limit_seconds
    elements = settings.cache_dir / _ELEMENTS
    means = Means(
        plan, fetcher, repositories, store, choices, times, library, digests, work, elements, limit, options.shell
    )
    return means, _wishes(means)


def _asked(request: Request, options: Options, inquiry: Inquiry) -> tuple[tuple[Answer, ...], AlreadyBuilt | None]:
    """Ask the repositories for their Release, and see meanwhile whether the set is there already."""
    with step("Asking the repositories"), ExitStack() as stack:
        looking = stack.enter_context(published.examined(request)) if options.use_published else None
        answers = trust.ask_all(request.repositories, inquiry)
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


def _wishes(means: Means) -> tuple[str, ...]:
    """Return the packages that disks take, and those that were asked for, or what there is of the default set."""
    plan = means.plan
    system = plan.request.chosen.packages
    own = _available(means, plan.wishes if plan.request.packages is None else system)
    if plan.request.packages is not None:
        own = (*own, *(one for one in plan.wishes if one not in system))
    of_disks = dict.fromkeys(one for disk in plan.disks for one in stages.packages_of(disk, own))
    return (*(one for one in _available(means, tuple(of_disks)) if one not in own), *own)


def _available(means: Means, wishes: Sequence[str]) -> tuple[str, ...]:
    """Return what the repositories hold of *wishes*; to look takes a second, so it is remembered."""
    if not wishes:
        return ()
    question = layers.digest(["available", wishes, means.repositories.state()])
    choice = means.choices.recalled(question, lambda: Choice(apt.available(means.repositories, wishes)))
    names = tuple(one.name for one in choice.packages)
    if absent := [wish for wish in wishes if not {*wish.split("|")} & {*names}]:
        LOG.warning("not in these repositories, and left out of the default set: %s", ", ".join(absent))
    return names
