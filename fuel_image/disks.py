"""Whole disks: the file systems of a tree, behind a partition table and a boot loader.

Owns the way of one tree into one disk: its file systems made, each in a file of its own, then put where the layout has
them and checked there, while the whole is written in the form that was asked for. It must not fill the tree or know
what boots it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from fuel_image.host import command, memory
from fuel_image.host.command import run
from fuel_image.host.cpus import cpus
from fuel_image.host.tasks import together
from fuel_image.images import check, contents, fat, formats, grub, layout, making, placing, table
from fuel_image.images.emit import Sums
from fuel_image.images.filesystems import FILESYSTEMS
from fuel_image.images.layout import BIOS_BOOT_BYTES, MIB, Extent, Layout
from fuel_image.images.making import Source
from fuel_image.images.table import SECTOR_BYTES, Row
from fuel_image.outputs.asked import SWAP, VFAT
from fuel_image.plan import Plan, PlannedDisk, PlannedPartition
from fuel_image.progress import Step, step
from fuel_image.publish import DISK, Artifact, Staged
from fuel_image.tree.bootloader import BOOT_IMAGE, CORE_IMAGE
from fuel_image.tree.root import Tree


def make(tree: Tree, plan: Plan, disk: PlannedDisk, out: Staged, work: Path, epoch: int) -> Artifact:
    """Make, check and write a disk; *epoch* is the time of what has none in the tree, whose mount points are there.

    Raises BuildError.
    """
    asked = disk.request
    with step(f"Making {asked.filename}") as shown, ExitStack() as stack:
        tops = {mount: stack.enter_context(contents.view(tree.path, mount, disk.mounts, work)) for mount in disk.mounts}
        sources = {mount: Source(top, contents.take(top)) for mount, top in tops.items()}
        needed = 3 * sum(source.room_bytes for source in sources.values())  # apart, on the disk, in another form
        room = stack.enter_context(memory.scratch(work / "disk", needed))
        raw = room / f"{asked.filename}.disk"
        placed = _assembled(tree, plan, disk, sources, room, raw, epoch)
        stopped = threading.Event()
        with together(2, stopped.set, command.end_running) as tasks:
            tasks.start(_check_file_systems, disk, sources, raw, placed)
            writing = tasks.start(_write, disk, raw, out, room, shown, stopped)
    size_bytes, packed = placed.size_bytes, writing.result()
    return Artifact(DISK, asked.filename, asked.format, asked.container, packed, virtual_size_bytes=size_bytes)


def _write(disk: PlannedDisk, raw: Path, out: Staged, room: Path, shown: Step, stopped: threading.Event) -> Sums:
    """Write the *raw* disk in its form and container; return the sums of what is published."""
    asked = disk.request
    target = room / asked.filename
    file = formats.written(raw, asked.format, asked.compression, disk.uuid, target, shown, stopped)
    return out.fill(file, asked.container, shown, stopped)[1]


@dataclass(frozen=True)
class _Part:
    """A partition whose content is ready in a file, to be put where it belongs."""

    planned: PlannedPartition
    file: Path


def _assembled(
    tree: Tree, plan: Plan, disk: PlannedDisk, sources: dict[str, Source], room: Path, raw: Path, epoch: int
) -> Layout:
    """Make the raw disk and return its layout: first the partitions that are as large as their content."""
    asked = disk.request
    own = [one for one in disk.partitions if _takes_its_content(disk, one)]
    parts = _made(plan, own, sources, room, epoch)
    sizes = {part.planned.number: part.file.stat().st_size for part in parts}
    placed = layout.lay_out(list(_extents(disk, sizes)), asked.size_bytes, asked.left_free_bytes)
    with raw.open("wb") as file:
        file.truncate(placed.size_bytes)
    others = [one for one in disk.partitions if one not in own]
    parts += _made(plan, others, sources, room, epoch, _Ready(raw, placed))
    rows = list(_rows(disk))
    table.write(raw, asked.table, disk.uuid, placed, rows)
    for part in parts:
        placing.put(part.file, raw, placed.place(part.planned.number).start_bytes)
    if "bios" in asked.boot:
        _install_grub(tree, disk, placed, raw)
    table.check(raw, asked.table, disk.uuid, placed, rows)
    for part in parts:
        if part.planned.request.format not in FILESYSTEMS:
            placing.check(part.file, raw, placed.place(part.planned.number).start_bytes)
        part.file.unlink()
    return placed


def _check_file_systems(disk: PlannedDisk, sources: dict[str, Source], raw: Path, placed: Layout) -> None:
    """Raise BuildError unless each is sound, and holds its part of the tree, where it lies on the disk."""
    for one in disk.partitions:
        asked = one.request
        if asked.mount is not None and asked.format in FILESYSTEMS:
            place, source = placed.place(one.number), sources[asked.mount]
            extent = {"start_bytes": place.start_bytes, "size_bytes": place.size_bytes}
            check.check(raw, asked.format, source.inventory, source.top, **extent)


def _takes_its_content(disk: PlannedDisk, one: PlannedPartition) -> bool:
    """Tell whether a partition is as large as its content: also one that takes the rest of a disk without a size."""
    asked = one.request
    return asked.size_bytes is None and not (asked.rest and disk.request.size_bytes is not None)


def _extents(disk: PlannedDisk, sizes: dict[int, int]) -> Iterator[Extent]:
    if disk.bios_boot:
        yield Extent(_bios_number(disk), BIOS_BOOT_BYTES)
    for one in disk.partitions:
        yield Extent(one.number, one.request.size_bytes or sizes.get(one.number), last=one.request.grow)


def _bios_number(disk: PlannedDisk) -> int:
    return len(disk.partitions) + 1


def _rows(disk: PlannedDisk) -> Iterator[Row]:
    for one in disk.partitions:
        asked = one.request
        kind = asked.format if asked.format in (SWAP, VFAT) else "root" if asked.mount == "/" else "linux"
        yield Row(one.number, kind, one.part_uuid)
    if disk.bios_boot:
        yield Row(_bios_number(disk), "bios", disk.bios_boot_uuid)


@dataclass(frozen=True)
class _Ready:
    """A disk that is empty still, and where its partitions are to lie."""

    file: Path
    layout: Layout


def _made(
    plan: Plan,
    partitions: Sequence[PlannedPartition],
    sources: dict[str, Source],
    room: Path,
    epoch: int,
    ready: _Ready | None = None,
) -> list[_Part]:
    """Make the content of partitions, as many at a time as there are CPUs, and return what is not in its place yet.

    Without a disk that is *ready* they are as large as their content.
    """
    with together(cpus(), command.end_running) as tasks:
        futures = [tasks.start(_make_one, plan, one, sources, room, epoch, ready) for one in partitions]
    parts = (future.result() for future in futures)
    return [part for part in parts if part is not None]


def _make_one(
    plan: Plan, planned: PlannedPartition, sources: dict[str, Source], room: Path, epoch: int, ready: _Ready | None
) -> _Part | None:
    asked = planned.request
    image, start_bytes = room / f"partition-{planned.number}.image", 0
    size_bytes = None if ready is None else ready.layout.place(planned.number).size_bytes
    if ready is not None and asked.format in FILESYSTEMS and FILESYSTEMS[asked.format].populated:
        # To copy it there would take half as long as to make it.
        image, start_bytes = ready.file, ready.layout.place(planned.number).start_bytes
    if asked.mount is None:
        assert size_bytes is not None, "swap has no content to take its size from"
        _make_swap(image, planned, size_bytes)
    elif asked.format == VFAT:
        assert size_bytes is not None, "neither has the other"
        top = sources[asked.mount].top
        fat.make(image, top, size_bytes=size_bytes, label=asked.label, serial=planned.uuid, epoch=epoch)
        fat.check(image, top, image.with_suffix(".found"))
    else:
        source = sources[asked.mount]
        making.make(
            image, source, kind=asked.format, features=planned.features, label=asked.label, uuid=planned.uuid,
            reserve_bytes=asked.reserve.beside(source.content_bytes), linux=plan.suite.linux, epoch=epoch,
            size_bytes=size_bytes, start_bytes=start_bytes,
        )  # fmt: skip
    return None if start_bytes else _Part(planned, image)


def _make_swap(image: Path, planned: PlannedPartition, size_bytes: int) -> None:
    with image.open("wb") as file:
        file.truncate(size_bytes)
    label = ("--label", planned.request.label) if planned.request.label else ()
    run("mkswap", "--uuid", planned.uuid, *label, image, doing="making a swap")


def _install_grub(tree: Tree, disk: PlannedDisk, placed: Layout, raw: Path) -> None:
    with tree.reading(BOOT_IMAGE) as boot, tree.reading(CORE_IMAGE) as core:
        if disk.bios_boot:
            place = placed.place(_bios_number(disk))
            grub.install(raw, boot.read(), core.read(), place.start_bytes, place.size_bytes)
        else:
            grub.install(raw, boot.read(), core.read(), SECTOR_BYTES, MIB - SECTOR_BYTES)
