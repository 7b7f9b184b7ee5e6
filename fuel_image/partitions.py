"""Partition images: the file systems of a tree, one for each mount point.

Owns the way of one tree into its images: divided by mount point, made, checked, and written to where they will be
published, as many at a time as there are CPUs. It must not fill the tree or give the files their names.
"""

from __future__ import annotations

import concurrent.futures
from collections.abc import Sequence
from pathlib import Path

from fuel_image.errors import BuildError
from fuel_image.host import command, preflight
from fuel_image.images import check, contents, ext, filled
from fuel_image.images.emit import emit
from fuel_image.images.filesystems import FILESYSTEMS
from fuel_image.plan import Plan, PlannedImage
from fuel_image.progress import Step, step
from fuel_image.publish import Artifact, Staged
from fuel_image.tree.root import Tree


def make_all(tree: Tree, plan: Plan, outs: Sequence[Staged], work: Path, epoch: int) -> tuple[Artifact, ...]:
    """Make, check and write the image of every mount point; *epoch* is the time of what has none in the tree."""
    for image in plan.images:
        _ensure_mount_point(tree, image.request.mount)
    with step("Making images") as making, concurrent.futures.ThreadPoolExecutor(preflight.cpus()) as workers:
        futures = [
            workers.submit(_make_one, tree, plan, image, out, work, epoch, making)
            for image, out in zip(plan.images, outs)
        ]
        try:
            for future in concurrent.futures.as_completed(futures):
                future.result()
        except BaseException:
            for future in futures:
                future.cancel()
            command.end_running()
            raise
    return tuple(future.result() for future in futures)


def _ensure_mount_point(tree: Tree, mount: str) -> None:
    """Make sure that a mount point is a real directory, reached through real directories."""
    try:
        tree.mkdir(mount)
    except OSError as error:
        raise BuildError(
            f"making the image of {mount}: {error.strerror}", advice="choose another mount point"
        ) from error
    parts = mount.strip("/").split("/")
    for count in range(1, len(parts) + 1 if mount != "/" else 0):
        path = "/" + "/".join(parts[:count])
        if not tree.is_dir(path):
            raise BuildError(
                f"making the image of {mount}: {path} is no directory in the tree", advice="choose another mount point"
            )


def _make_one(
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
    try:
        raw, packed = emit(image, asked.container, out.file, threads=preflight.cpus(), step=making)
    except OSError as error:
        error.filename = error.filename or out.path
        raise
    image.unlink()
    return Artifact(
        mount=asked.mount,
        filename=asked.filename,
        format=asked.format,
        container=asked.container,
        raw=raw,
        packed=packed,
    )
