"""The stages of a tree: from nothing to the tree that holds all packages.

Owns what each stage is made from, since its inputs name its layer, and what is done at once. How a thing is done is the
matter of the module whose noun it is. It must not make images.
"""

from __future__ import annotations

import dataclasses
import logging
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fuel_image import portions
from fuel_image.archive.packages import Package
from fuel_image.customisation.asked import Selection
from fuel_image.elements.hooks import PHASES, Phase
from fuel_image.errors import BuildError, RequestError
from fuel_image.host import command
from fuel_image.host.tasks import together
from fuel_image.means import Means
from fuel_image.milestones import Milestone, reached
from fuel_image.plan import PlannedDisk
from fuel_image.portions import Portion
from fuel_image.progress import step
from fuel_image.tree import (
    apt,
    bootloader,
    bootstrap,
    customise,
    fstab,
    growth,
    grub_config,
    layers,
    locales,
    phases,
    selections,
    sources,
    times,
)
from fuel_image.tree.installed import installed
from fuel_image.tree.layers import Layer
from fuel_image.tree.machine_disk import MachineDisk, MachinePartition
from fuel_image.tree.root import Tree
from fuel_image.tree.times import Times

LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Stage:
    """A state of the tree, and the packages that have been brought in."""

    layer: Layer
    packages: tuple[Package, ...]


@contextmanager
def filled(means: Means, wishes: Sequence[str]) -> Iterator[Stage]:
    """Give the tree with everything that was wished for."""
    _check(means, wishes)
    with ExitStack() as stack:
        whole = stack.enter_context(_base_system(means, wishes))
        reached(Milestone.BOOTSTRAPPED)
        answers = means.plan.request.customisation.debconf
        for portion in portions.divided(means, whole.packages, whole.layer, wishes):
            whole = stack.enter_context(_with_packages(means, whole, portion, answers))
            answers = ()  # what packages made of them is not to be undone
        for phase in means.plan.request.chosen.phases:
            whole = stack.enter_context(_after_phase(means, whole, phase))
        yield stack.enter_context(_customised(means, whole))


def _check(means: Means, wishes: Sequence[str]) -> None:
    """Raise RequestError with what the repositories say against the request."""
    problems = [*apt.name_problems(means.repositories, wishes, "$.packages")]
    problems += customise.problems(means.plan.request.customisation, means.repositories)
    if problems:
        raise RequestError(problems)


@contextmanager
def _base_system(means: Means, wishes: Sequence[str]) -> Iterator[Stage]:
    """Give the base system, installed by its own dpkg; meanwhile its apt chooses what comes next, for *wishes*."""
    request, suite, pool = means.plan.request, means.plan.suite, means.fetcher.pool
    base = portions.base(means)

    def make(tree: Tree) -> Mapping[str, Any]:
        def go_on(stopped: threading.Event) -> None:
            try:
                choice = portions.chosen_beside(means, inside, base, wishes)
                means.fetch("Fetching packages", choice.packages, stopped)
            except BuildError as error:  # the base is none the worse; who needs the packages will ask again and fail
                LOG.debug("looking ahead: %s", error)

        means.fetch("Fetching the base system", base)
        left = bootstrap.unpack(tree, base, suite, request.arch, pool)
        with means.inside(tree) as inside, _beside(go_on):
            bootstrap.install(inside, base, left, pool)
        times.settle(tree, means.times)
        return {}

    inputs = {
        "packages": [package.identity for package in base],
        "arch": request.arch,
        "merged_usr": suite.merged_usr,
        "time": means.times.instead,
    }
    with means.store.layer("The base system", inputs, None, make) as layer:
        yield Stage(layer, base)


@contextmanager
def _beside(task: Callable[[threading.Event], None]) -> Iterator[None]:
    """Do *task* beside the block; it is told when the block fails."""
    stopped = threading.Event()
    with together(1, stopped.set, command.end_running) as tasks:
        tasks.start(task, stopped)
        yield


@contextmanager
def _with_packages(means: Means, below: Stage, portion: Portion, answers: Sequence[Selection]) -> Iterator[Stage]:
    """Give a tree with a portion of the packages that were asked for, installed by the tree's own apt.

    debconf has the *answers* before.
    """
    choice = portion.choice

    def make(tree: Tree) -> Mapping[str, Any]:
        means.fetch("Fetching packages", choice.packages)
        with means.inside(tree) as inside:
            selections.answer(inside, answers)
            found = apt.install(inside, means.repositories, portion.wishes, choice, means.fetcher.pool)
        times.settle(tree, means.times)
        return {"installed": [dataclasses.asdict(one) for one in found]}

    inputs = {
        "packages": [package.identity for package in choice.packages],
        "wishes": portion.wishes,
        "removed": choice.removed,
        "debconf": {one.name: one.digest for one in answers},
    }
    with means.store.layer(portion.title, inputs, below.layer, make) as layer:
        yield Stage(layer, (*below.packages, *choice.packages))


_PACKAGES_OF_FORMATS = {
    **dict.fromkeys(("ext2", "ext3", "ext4"), ("e2fsprogs",)),
    "xfs": ("xfsprogs",),
    "btrfs": ("btrfs-progs",),
}


def packages_of(disk: PlannedDisk, wishes: Sequence[str]) -> tuple[str, ...]:
    """Return the packages that a disk takes besides those wished for; ``a|b`` is the first that repositories hold."""
    formats = dict.fromkeys(one.request.format for one in disk.partitions)
    grown = ("cloud-guest-utils", "fdisk|util-linux") if any(one.request.grow for one in disk.partitions) else ()
    tools = [package for form in formats for package in _PACKAGES_OF_FORMATS.get(form, ())]
    return (*bootloader.packages(disk.request.boot, wishes), *grown, *tools)


@contextmanager
def bootable(means: Means, below: Stage, planned: PlannedDisk) -> Iterator[Layer]:
    """Give the tree with what a disk boots from, and what it does with the disk when it has booted."""
    partitions = tuple(
        MachinePartition(one.number, one.request.format, one.uuid, one.request.mount, one.request.grow)
        for one in planned.partitions
    )
    disk = MachineDisk(planned.request.table, planned.request.boot, partitions)
    vendor = means.plan.suite.distribution.lower()

    def make(tree: Tree) -> Mapping[str, Any]:
        means.fetch("Fetching packages", ())
        with step(f"Making {planned.request.filename} bootable"), means.inside(tree) as inside:
            bootloader.install(inside, disk, vendor)
            grub_config.make(inside, disk)
            fstab.write(tree, disk)
            growth.install(tree, disk)
            locales.choose_default(tree)
        times.settle(tree, Times(means.times.instead, means.times.instead))
        return {}

    inputs = {"disk": dataclasses.asdict(disk), "vendor": vendor, "time": means.times.instead}
    with means.store.layer(f"The boot loader of {planned.request.filename}", inputs, below.layer, make) as layer:
        yield layer


@contextmanager
def _after_phase(means: Means, below: Stage, phase: Phase) -> Iterator[Stage]:
    """Give the tree as the hooks of a phase leave it."""
    request, sources_of = means.plan.request, means.repositories
    own = f"dib_{means.work.name}"  # elements make names of it that other builds must not have
    around = phases.Surroundings(
        chosen=request.chosen,
        arch=request.arch,
        codename=request.codename,
        mirror=sources.public(request.repositories[0]),
        proxies=request.proxies,
        directory=Path(os.path.realpath(means.work)) / phase.name / own,
        cache=means.elements,
        shell=means.shell,
    )

    def make(tree: Tree) -> Mapping[str, Any]:
        means.fetch("Fetching packages", ())
        with dataclasses.replace(means, shell=False).inside(tree) as inside:  # a hook opens its own
            if phase == request.chosen.phases[0]:
                sources.write(tree, sources_of, means.fetcher.is_direct)
            phases.gather(tree, request.chosen.new_in_phase(phase.name))
            phases.run(inside, phase, around)
            if phase == PHASES[-1]:
                phases.leave(tree, request.chosen)
            found = installed(inside)
        request.chosen.check_unchanged(phase.name)
        times.settle(tree, Times(means.times.instead, means.times.instead))
        return {"installed": [dataclasses.asdict(one) for one in found]}

    inputs = {
        **request.chosen.inputs(phase.name),
        "codename": request.codename,
        "repositories": sources_of.state(),  # hooks install from them what they hold now
        "sources": sources.lines(sources_of, means.fetcher.is_direct),
        "keys": [layers.digest(one.request.key) for one in sources_of],
        "proxies": layers.digest([request.proxies.by_scheme, request.proxies.direct_hosts]),
    }
    with means.store.layer(f"The phase {phase.name}", inputs, below.layer, make) as layer:
        yield Stage(layer, below.packages)


@contextmanager
def _customised(means: Means, below: Stage) -> Iterator[Stage]:
    """Give the tree with what the request changes in it besides; without such wishes, the tree as it is."""
    wanted, packages = means.plan.request.customisation, means.plan.request.packages or ()
    if not wanted.parts:
        yield below
        return

    def make(tree: Tree) -> Mapping[str, Any]:
        means.fetch("Fetching packages", ())
        with means.inside(tree) as inside:
            found = customise.customise(inside, wanted, means.repositories, packages)
        # Not newer_than: what a script unpacks may lie between the two, and a kept layer does not know of the newer.
        times.settle(tree, Times(means.times.instead, means.times.instead))
        return {"installed": [dataclasses.asdict(one) for one in found]}

    with means.store.layer("The customisation", {"parts": wanted.parts}, below.layer, make) as layer:
        yield Stage(layer, below.packages)
