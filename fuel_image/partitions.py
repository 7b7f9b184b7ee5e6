"""Partition images: the file systems of a tree, one for each mount point.

Owns the way of one tree into its images: divided by mount point, made, checked, and written to where they will be
published, as many at a time as there are CPUs. An image is checked while it is written: nothing is published before all
are done. It must not fill the tree or give the files their names.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from fuel_image.errors import BuildError, TreeError
from fuel_image.host import command, memory
from fuel_image.host.cpus import cpus
from fuel_image.host.tasks import together
from fuel_image.images import check, contents, ext, filled
from fuel_image.images.emit import Sums, emit
from fuel_image.images.filesystems import FILESYSTEMS
from fuel_image.plan import Plan, PlannedImage
from fuel_image.progress import Step, step
from fuel_image.publish import Artifact, Staged
from fuel_image.tree.root import Tree

_LARGEST_JOURNAL_BYTES = 128 << 20


def make_mount_points(tree: Tree, plan: Plan) -> None:
    """Make sure that every mount point is a directory; done before the times are settled, since it changes some."""
    for image in plan.images:
        _ensure_mount_point(tree, image.request.mount)


def make_all(tree: Tree, plan: Plan, outs: Sequence[Staged], work: Path, epoch: int) -> tuple[Artifact, ...]:
    """Make, check and write the image of every mount point; *epoch* is the time of what has none in the tree.

    The mount points must be there.
    """
    mounts = [image.request.mount for image in plan.images]
    with step("Making images") as making, ExitStack() as stack:
        views = [stack.enter_context(contents.view(tree.path, mount, mounts, work)) for mount in mounts]
        sources = [_Source(top, contents.take(top)) for top in views]
        needed = sum(_room_bytes(source) for source in sources)
        room = stack.enter_context(memory.scratch(work / "images", needed))
        stopped = threading.Event()
        tasks = stack.enter_context(together(cpus(), stopped.set, command.end_running))
        futures = [
            tasks.start(_make_one, plan, image, source, out, room, epoch, making, stopped)
            for image, source, out in zip(plan.images, sources, outs)
        ]
    return tuple(future.result() for future in futures)


@dataclass(frozen=True)
class _Source:
    """What goes into one image: the view of the tree at *top*, and its inventory."""

    top: Path
    inventory: contents.Inventory


def _reserve_bytes(source: _Source, planned: PlannedImage) -> int:
    reserve = planned.request.reserve
    return reserve.size_bytes + int(reserve.share * sum(source.inventory.file_bytes))


def _room_bytes(source: _Source) -> int:
    """Return about how much room an image takes before it is compressed; its journal is written, its reserve is not."""
    return int(sum(source.inventory.file_bytes) * 1.1) + (source.inventory.inodes << 10) + _LARGEST_JOURNAL_BYTES


def _ensure_mount_point(tree: Tree, mount: str) -> None:
    """Make sure that a mount point is a real directory, reached through real directories."""
    try:
        tree.mkdir(mount)
    except TreeError as error:
        raise BuildError(
            f"making the image of {mount}: {error.message}", advice="choose another mount point"
        ) from error
    parts = mount.strip("/").split("/")
    for count in range(1, len(parts) + 1 if mount != "/" else 0):
        path = "/" + "/".join(parts[:count])
        if not tree.is_dir(path):
            raise BuildError(
                f"making the image of {mount}: {path} is no directory in the tree", advice="choose another mount point"
            )


def _make_one(
    plan: Plan,
    planned: PlannedImage,
    source: _Source,
    out: Staged,
    room: Path,
    epoch: int,
    making: Step,
    stopped: threading.Event,
) -> Artifact:
    asked = planned.request
    image = room / f"{asked.filename}.image"
    reserve_bytes = _reserve_bytes(source, planned)
    if FILESYSTEMS[asked.format].populated:
        ext.make(
            image, source.top, source.inventory, features=planned.features, label=asked.label, uuid=planned.uuid,
            reserve_bytes=reserve_bytes, epoch=epoch,
        )  # fmt: skip
    else:
        filled.make(
            image, source.top, source.inventory, kind=asked.format, label=asked.label, uuid=planned.uuid,
            reserve_bytes=reserve_bytes, linux=plan.suite.linux,
        )  # fmt: skip
    with together(1) as beside:  # to stop would be to stop the other images' programs too
        beside.start(check.check, image, asked.format, source.inventory, source.top)
        raw, packed = _written(image, asked.container, out, making, stopped)
    image.unlink()
    return Artifact(
        mount=asked.mount,
        filename=asked.filename,
        format=asked.format,
        container=asked.container,
        raw=raw,
        packed=packed,
    )


def _written(image: Path, container: str, out: Staged, making: Step, stopped: threading.Event) -> tuple[Sums, Sums]:
    try:
        return emit(image, container, out.file, threads=cpus(), step=making, stopped=stopped)
    except OSError as error:
        error.filename = error.filename or out.path
        raise
