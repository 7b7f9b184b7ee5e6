"""File systems that are filled through a mount: xfs and btrfs.

Owns their sizes and options and the filling. What they hold is the same for the same tree; their bytes are not, since
the kernel lays them out. It must not decide what goes in.
"""

from __future__ import annotations

import re
from pathlib import Path

from fuel_image.errors import BuildError, CommandError
from fuel_image.host import kernel
from fuel_image.host.command import run
from fuel_image.host.mounts import loop_device, mounted
from fuel_image.images.contents import Inventory
from fuel_image.images.filesystems import FILESYSTEMS

_ATTEMPTS = 3
_GROWTH = 1.3
_PAGE_BYTES = 4096
_METADATA_SHARE = {"xfs": 0.04, "btrfs": 0.12}
_METADATA_BYTES = {"xfs": 96 << 20, "btrfs": 192 << 20}
_INODE_BYTES = 1024
_MIB = 1 << 20
_NREXT64_XFSPROGS = (5, 19)


def make(
    image: Path,
    top: Path,
    inventory: Inventory,
    *,
    kind: str,
    label: str | None,
    uuid: str,
    reserve_bytes: int,
    linux: tuple[int, int],
    size_bytes: int | None = None,
) -> None:
    """Make a file system of *kind* in the file *image* and copy the tree at *top* into it.

    It is as large as its content and the reserve, or has exactly *size_bytes*. *linux* is the kernel of the release
    that will read it: what is newer is left out. Raises BuildError, of which CommandError is one.
    """
    content = sum(-(-size // _PAGE_BYTES) * _PAGE_BYTES for size in inventory.file_bytes)
    content += inventory.inodes * _INODE_BYTES + sum(inventory.directory_bytes)
    least = max(content, FILESYSTEMS[kind].smallest_bytes)
    if size_bytes is not None and size_bytes < least:
        message = f"its content takes {least >> 20:,} MiB, and it has {size_bytes >> 20:,}"
        raise BuildError(f"making a file system: {message}", advice="give the partition a larger size")
    size = content * (1 + _METADATA_SHARE[kind]) + _METADATA_BYTES[kind] + reserve_bytes
    size = max(size, FILESYSTEMS[kind].smallest_bytes) if size_bytes is None else size_bytes
    mountpoint = image.with_suffix(".mnt")
    mountpoint.mkdir()
    for attempt in range(_ATTEMPTS):
        _blank(image, int(size))
        _mkfs(image, kind, label, uuid, linux)
        try:
            _copy(top, image, mountpoint, kind)
            break
        except CommandError as error:
            if size_bytes or attempt + 1 == _ATTEMPTS or not any("No space left" in line for line in error.tail):
                raise
            size *= _GROWTH
    mountpoint.rmdir()


def _copy(top: Path, image: Path, mountpoint: Path, kind: str) -> None:
    with loop_device(image, read_only=False) as device, mounted(str(device), mountpoint, kind, kernel.MS_NOATIME):
        doing = f"copying the tree into a {kind} file system"
        # --archive alone says nothing of attributes that it cannot set.
        run("cp", "--archive", "--preserve=xattr", "--no-target-directory", top, mountpoint, doing=doing)


def _blank(image: Path, size_bytes: int) -> None:
    image.unlink(missing_ok=True)
    with image.open("wb") as file:
        file.truncate(-(-size_bytes // _MIB) * _MIB)


def _mkfs(image: Path, kind: str, label: str | None, uuid: str, linux: tuple[int, int]) -> None:
    named = ["-L", label] if label else []
    arguments = _xfs_options(uuid, linux) if kind == "xfs" else _btrfs_options(uuid, linux)
    run(f"mkfs.{kind}", "-q", *named, *arguments, image, doing=f"making a {kind} file system")


def _xfs_options(uuid: str, linux: tuple[int, int]) -> list[str]:
    recent = int(linux >= (5, 10))  # bigtime and inobtcount
    settled = int(linux >= (5, 4))  # reflink without a warning; sparse inodes that GRUB reads
    metadata = f"crc=1,finobt=1,rmapbt=0,uuid={uuid},reflink={settled},bigtime={recent},inobtcount={recent}"
    inodes = f"sparse={settled}"
    if _mkfs_xfs_version() >= _NREXT64_XFSPROGS:
        inodes += ",nrext64=0"  # newer defaults need Linux 5.19
    return ["-m", metadata, "-i", inodes]


def _mkfs_xfs_version() -> tuple[int, ...]:
    text = run("mkfs.xfs", "-V", doing="asking for the version of mkfs.xfs", want_output=True).text
    return tuple(int(part) for part in re.findall(r"[0-9]{1,4}", text)[:2])


def _btrfs_options(uuid: str, linux: tuple[int, int]) -> list[str]:
    return ["-U", uuid] + ([] if linux >= (4, 15) else ["-O", "^free-space-tree,^no-holes"])
