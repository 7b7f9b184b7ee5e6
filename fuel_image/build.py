"""The whole build on one page.

Owns the order of the steps and how long each thing lives. Everything else is done by the module whose noun it is.
"""

from __future__ import annotations

import concurrent.futures
import logging
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from fuel_image import metadata
from fuel_image.archive import repositories as archive
from fuel_image.archive import resolve
from fuel_image.archive.fetch import Fetcher
from fuel_image.archive.pool import Pool
from fuel_image.archive.repositories import Repositories
from fuel_image.errors import BuildError
from fuel_image.host import command, kernel, preflight
from fuel_image.host.mounts import bound
from fuel_image.host.workspace import workspace
from fuel_image.images import check, contents, ext, filled
from fuel_image.images.emit import emit
from fuel_image.images.filesystems import FILESYSTEMS
from fuel_image.plan import Plan, PlannedImage
from fuel_image.progress import Step, step
from fuel_image.publish import Artifact, Staged, reveal_set, staged
from fuel_image.tree import apt, bootstrap, chroot, clean, eatmydata, settle
from fuel_image.tree.chroot import Chroot
from fuel_image.tree.installed import Installed, installed
from fuel_image.tree.root import Tree, entered, tree_at

LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Places:
    """Where the build works and what it keeps there for the next."""

    work_dir: Path
    cache_dir: Path


@dataclass(frozen=True)
class Built:
    """What came of a build."""

    artifacts: tuple[Artifact, ...]
    metadata: Path
    installed: int


def build(plan: Plan, places: Places) -> Built:
    """Make the images of *plan* and publish them with their metadata.

    The process must be in namespaces of its own (host.namespaces). Raises FuelImageError.
    """
    request = plan.request
    preflight.check(plan.tools, request.arch, (places.work_dir, places.cache_dir, request.output))
    fetcher = Fetcher(Pool(places.cache_dir / "pool"), request.proxies)
    with workspace(places.work_dir) as work:
        with step("Opening the repositories") as opening:
            repositories = archive.open_all(request.repositories, request.arch, fetcher, work, opening)
        packages = _packages(plan, repositories)
        epoch = request.source_date_epoch or repositories.newest_date() or 0
        with tree_at(work / "tree") as tree:
            inventory = _fill(tree, plan, packages, repositories, fetcher, epoch)
            with step("Cleaning the tree"):
                settle.settle(tree, request)
                clean.clean(tree)
                contents.settle_times(tree.path, epoch)
            with ExitStack() as outputs:
                images = [
                    outputs.enter_context(staged(request.output, image.request.filename)) for image in plan.images
                ]
                artifacts = _make_images(tree, plan, images, work, epoch)
                record = metadata.document(request, plan.suite, packages, repositories, inventory, artifacts, epoch)
                with staged(request.output, request.metadata_filename) as last, step("Publishing"):
                    last.file.write(metadata.written(record).encode())
                    reveal_set(request.output, images, last)
    return Built(artifacts, request.output / request.metadata_filename, len(inventory))


def _packages(plan: Plan, repositories: Repositories) -> tuple[str, ...]:
    """Return what to install: what was asked for, all of which must be there, or what is there of the default set."""
    if plan.request.packages is None:
        return apt.available(repositories, plan.wishes)
    apt.check_names(repositories, plan.wishes)
    return plan.wishes


def _fill(
    tree: Tree, plan: Plan, packages: Sequence[str], repositories: Repositories, fetcher: Fetcher, epoch: int
) -> tuple[Installed, ...]:
    """Bootstrap the base system and install the packages; return what is then installed."""
    base = resolve.base(repositories)
    syncless = eatmydata.package(repositories)
    with step("Fetching the base system") as fetching:
        fetcher.fetch((repositories.wanted(one) for one in (*base, *filter(None, [syncless]))), fetching)
    bootstrap.unpack(tree, base, plan.suite, plan.request.arch, fetcher.pool, preflight.cpus())
    with entered(tree), chroot.services_forbidden(tree):
        pool_in_tree = tree.path / chroot.POOL.lstrip("/")
        pool_in_tree.mkdir()
        with bound(fetcher.pool.directory, pool_in_tree, kernel.MS_RDONLY | kernel.MS_NODEV | kernel.MS_NOSUID):
            preload: str | None = eatmydata.provide(tree, fetcher.pool, syncless) if syncless else None
            inside = Chroot(tree, preload, {**apt.ENVIRONMENT, "SOURCE_DATE_EPOCH": str(epoch)})
            bootstrap.install(inside, base, fetcher.pool)
            apt.configure(inside, repositories)
            apt.install(inside, repositories, packages, fetcher)
            return installed(inside, repositories)


def _make_images(tree: Tree, plan: Plan, images: Sequence[Staged], work: Path, epoch: int) -> tuple[Artifact, ...]:
    """Make, check and write every image, as many at a time as there are CPUs."""
    for image in plan.images:
        _ensure_mount_point(tree, image.request.mount)
    threads = max(1, preflight.cpus())
    with step("Making images") as making, concurrent.futures.ThreadPoolExecutor(threads) as workers:
        futures = [
            workers.submit(_make_image, tree, plan, one, out, work, epoch, making)
            for one, out in zip(plan.images, images)
        ]
        try:
            for future in concurrent.futures.as_completed(futures):
                future.result()
        except BaseException:
            command.end_running()
            raise
    return tuple(future.result() for future in futures)


def _ensure_mount_point(tree: Tree, mount: str) -> None:
    """Make sure that a mount point is a real directory, reached through real directories."""
    tree.mkdir(mount)
    parts = mount.strip("/").split("/")
    for count in range(1, len(parts) + 1 if mount != "/" else 0):
        path = "/" + "/".join(parts[:count])
        if not tree.is_dir(path):
            raise BuildError(
                f"making the image of {mount}: {path} is no directory in the tree", advice="choose another mount point"
            )


def _make_image(
    tree: Tree, plan: Plan, planned: PlannedImage, out: Staged, work: Path, epoch: int, making: Step
) -> Artifact:
    asked = planned.request
    image = work / f"{asked.filename}.image"
    mounts = [one.request.mount for one in plan.images]
    with contents.view(tree.path, asked.mount, mounts, work) as top:
        inventory = contents.take(top)
        reserve_bytes = asked.reserve.size_bytes + int(asked.reserve.share * sum(inventory.file_bytes))
        if FILESYSTEMS[asked.format].populated:
            ext.make(
                image, top, inventory, features=planned.features, label=asked.label, uuid=planned.uuid,
                reserve_bytes=reserve_bytes, epoch=epoch,
            )  # fmt: skip
        else:
            filled.make(
                image, top, inventory, kind=asked.format, label=asked.label, uuid=planned.uuid,
                reserve_bytes=reserve_bytes, linux=plan.suite.linux,
            )  # fmt: skip
    check.check(image, asked.format, inventory)
    emitted = emit(image, asked.container, out.file, threads=preflight.cpus(), step=making)
    image.unlink()
    return Artifact(
        mount=asked.mount,
        filename=asked.filename,
        format=asked.format,
        container=asked.container,
        size_bytes=emitted.size_bytes,
        md5=emitted.md5,
        sha256=emitted.sha256,
        raw_size_bytes=emitted.raw_size_bytes,
        raw_md5=emitted.raw_md5,
        raw_sha256=emitted.raw_sha256,
    )
