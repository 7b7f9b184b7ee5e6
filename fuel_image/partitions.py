"""Partition images: the file systems of a tree, one for each mount point.

Owns the way of one tree into its images: divided by mount point, made, checked, and written to where they will be
published, as many at a time as there are CPUs. An image is checked while it is written: nothing is published before all
are done. It must not fill the tree or give the files their names.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path

from fuel_image.errors import BuildError, TreeError
from fuel_image.host import command, memory
from fuel_image.host.cpus import cpus
from fuel_image.host.tasks import together
from fuel_image.images import check, contents, making
from fuel_image.images.making import Source
from fuel_image.plan import Plan, PlannedImage
from fuel_image.progress import Step, step
from fuel_image.publish import IMAGE, Artifact, Staged
from fuel_image.tree.root import Tree


def make_mount_points(tree: Tree, mounts: Iterable[str]) -> None:
    """Make sure that every mount point is a directory; done before the times are settled, since it changes some."""
    for mount in mounts:
        _ensure_mount_point(tree, mount)


def make_all(tree: Tree, plan: Plan, outs: Mapping[str, Staged], work: Path, epoch: int) -> tuple[Artifact, ...]:
    """Make, check and write the image of every mount point; *epoch* is the time of what has none in the tree.

    The mount points must be there.
    """
    mounts = [image.request.mount for image in plan.images]
    if not mounts:
        return ()
    with step("Making images") as shown, ExitStack() as stack:
        views = [stack.enter_context(contents.view(tree.path, mount, mounts, work)) for mount in mounts]
        sources = [Source(top, contents.take(top)) for top in views]
        room = stack.enter_context(memory.scratch(work / "images", sum(source.room_bytes for source in sources)))
        stopped = threading.Event()
        tasks = stack.enter_context(together(cpus(), stopped.set, command.end_running))
        futures = [
            tasks.start(_make_one, plan, image, source, outs[image.request.filename], room, epoch, shown, stopped)
            for image, source in zip(plan.images, sources)
        ]
    return tuple(future.result() for future in futures)


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
    source: Source,
    out: Staged,
    room: Path,
    epoch: int,
    shown: Step,
    stopped: threading.Event,
) -> Artifact:
    asked = planned.request
    image = room / f"{asked.filename}.image"
    making.make(
        image, source, kind=asked.format, features=planned.features, label=asked.label, uuid=planned.uuid,
        reserve_bytes=asked.reserve.beside(source.content_bytes), linux=plan.suite.linux, epoch=epoch,
    )  # fmt: skip
    with together(1) as beside:  # to stop would be to stop the other images' programs too
        beside.start(check.check, image, asked.format, source.inventory, source.top)
        raw, packed = out.fill(image, asked.container, shown, stopped)
    image.unlink()
    return Artifact(
        kind=IMAGE,
        mount=asked.mount,
        filename=asked.filename,
        format=asked.format,
        container=asked.container,
        raw=raw,
        packed=packed,
    )
