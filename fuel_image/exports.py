"""The tree in other forms than file systems and disks, and its kernel.

Owns the way of one tree into each of them: made, checked, and written to where it will be published, as many at a time
as there are CPUs. It must not fill the tree or give the files their names.
"""

from __future__ import annotations

import shutil
import stat
import threading
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

from fuel_image.errors import BuildError
from fuel_image.host import command, memory
from fuel_image.host.cpus import cpus
from fuel_image.host.tasks import together
from fuel_image.images import contents, cpio, squashfs, tar
from fuel_image.images.making import Source
from fuel_image.outputs.exports import EXPORTS, INITRAMFS, INITRD, KERNEL, ROOTFS, SQUASHFS, ExportRequest
from fuel_image.plan import Plan
from fuel_image.progress import Step, step
from fuel_image.publish import Artifact, Staged
from fuel_image.tree import kernels
from fuel_image.tree.root import Tree

_HEADERS_BYTES = 2048
"""Room for a path with its attributes."""
_WHOLE = (ROOTFS, SQUASHFS, INITRAMFS)


@dataclass(frozen=True)
class _Tree:
    """A tree to be written: *source* shows it as it will be, *epoch* is the time of what has none in it."""

    tree: Tree
    source: Source
    plan: Plan
    epoch: int


def make_all(tree: Tree, plan: Plan, outs: Mapping[str, Staged], work: Path, epoch: int) -> tuple[Artifact, ...]:
    """Make, check and write what the request asks for. Raises BuildError."""
    wanted = plan.request.exports
    if not wanted:
        return ()
    with step("Writing the tree in other forms") as shown, ExitStack() as stack:
        work = work / "of-the-tree"
        work.mkdir()
        top = stack.enter_context(contents.view(tree.path, "/", ("/",), work))
        whole = _Tree(tree, Source(top, contents.take(top)), plan, epoch)
        count = sum(one.kind in _WHOLE for one in wanted)
        room = stack.enter_context(memory.scratch(work / "exports", (count or 1) * _room_bytes(whole.source)))
        stopped = threading.Event()
        tasks = stack.enter_context(together(cpus(), stopped.set, command.end_running))
        futures = [tasks.start(_make_one, whole, one, outs[one.filename], room, shown, stopped) for one in wanted]
    return tuple(future.result() for future in futures)


def _room_bytes(source: Source) -> int:
    """Return about how much an archive takes, in which holes are written out."""
    entries = source.inventory.entries.values()
    sizes = sum(one.detail for one in entries if stat.S_ISREG(one.mode) and isinstance(one.detail, int))
    return max(source.room_bytes, sizes + len(entries) * _HEADERS_BYTES)


def _make_one(
    whole: _Tree, asked: ExportRequest, out: Staged, room: Path, shown: Step, stopped: threading.Event
) -> Artifact:
    file = room / f"{asked.filename}.{asked.kind}"
    _MAKERS[asked.kind](whole, asked, file)
    with together(1) as beside:  # to stop would be to stop the other files' programs too
        if asked.kind in _CHECKS:
            beside.start(_CHECKS[asked.kind], file, whole.source.top, whole.source.inventory)
        _, packed = out.fill(file, asked.container, shown, stopped)
    file.unlink()
    return Artifact(asked.kind, asked.filename, EXPORTS[asked.kind].format, asked.container, packed)


def _make_rootfs(whole: _Tree, _asked: ExportRequest, file: Path) -> None:
    tar.make(file, whole.source.top, whole.source.inventory)


def _make_squashfs(whole: _Tree, asked: ExportRequest, file: Path) -> None:
    compression = asked.compression or squashfs.compression_for(whole.plan.suite.linux)
    squashfs.make(file, whole.source.top, compression=compression, threads=cpus(), epoch=whole.epoch)


def _make_initramfs(whole: _Tree, _asked: ExportRequest, file: Path) -> None:
    if not any(whole.tree.exists(path) for path in ("/init", "/sbin/init")):
        raise BuildError("making a RAM disk: the tree has nothing to start", advice="add the package systemd-sysv")
    cpio.make(file, whole.source.top, whole.source.inventory, whole.epoch)


def _copy_kernel(whole: _Tree, _asked: ExportRequest, file: Path) -> None:
    _copy(whole.tree, kernels.newest(whole.tree), file)


def _copy_ram_disk(whole: _Tree, _asked: ExportRequest, file: Path) -> None:
    _copy(whole.tree, kernels.ram_disk(whole.tree), file)


def _copy(tree: Tree, path: str, file: Path) -> None:
    with tree.reading(path) as reading, file.open("wb") as writing:
        shutil.copyfileobj(reading, writing)


_MAKERS: Mapping[str, Callable[[_Tree, ExportRequest, Path], None]] = {
    ROOTFS: _make_rootfs,
    SQUASHFS: _make_squashfs,
    KERNEL: _copy_kernel,
    INITRD: _copy_ram_disk,
    INITRAMFS: _make_initramfs,
}
_CHECKS = {ROOTFS: tar.check, SQUASHFS: squashfs.check, INITRAMFS: cpio.check}
