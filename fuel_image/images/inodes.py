"""The inodes of an ext file system, where ``mke2fs -d`` gets them wrong.

Owns their correction with debugfs: the times that nobody can set in a tree; the root directory, which mke2fs makes
itself; the order of extended attributes, which is that of the file system that the tree lies on; and the names of a
symbolic link that has more than one, of which mke2fs makes as many links. It must not know how the file system is made.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from fuel_image.errors import BuildError
from fuel_image.host import kernel
from fuel_image.host.command import run
from fuel_image.host.mounts import loop_device, mounted
from fuel_image.images.contents import Inventory

_FIRST_INODE = 11
_ROOT_INODE = 2
_NANOSECONDS = 1_000_000_000


def environment(epoch: int) -> dict[str, str]:
    """Return what keeps the host out of what e2fsprogs do: its mke2fs.conf, and its clock.

    Before e2fsprogs 1.47.1 only the second variable fakes the time.
    """
    return {"MKE2FS_CONFIG": "/dev/null", "E2FSPROGS_FAKE_TIME": str(max(epoch, 1)), "SOURCE_DATE_EPOCH": str(epoch)}


def settle(image: Path, inventory: Inventory, epoch: int, start_bytes: int = 0) -> None:
    """Correct the inodes of a file system that was made from what *inventory* tells; *epoch* is the time of changes.

    It begins in *image* at *start_bytes*.
    """
    values = image.with_suffix(f".{start_bytes}.values")
    values.mkdir()
    numbers = _numbers(image, inventory, start_bytes)
    opened = f"{image}?offset={start_bytes}"  # as e2fsprogs' programs write it
    # The times first: what is removed after them leaves a gap in the numbers.
    lines = [*_times(opened, epoch), *_root(inventory), *_attributes(inventory, numbers, values)]
    lines += _links(inventory, numbers)
    commands = image.with_suffix(f".{start_bytes}.commands")
    commands.write_bytes(os.fsencode("".join(f"{line}\n" for line in lines)))
    run("debugfs", "-w", "-f", commands, opened, doing="correcting the inodes of a file system", env=environment(epoch))
    commands.unlink()
    for value in values.iterdir():
        value.unlink()
    values.rmdir()


def _times(opened: str, epoch: int) -> Iterator[str]:
    """mke2fs numbers the inodes without a gap, so that the used ones are known from their count."""
    summary = run("dumpe2fs", "-h", opened, doing="reading a superblock", want_output=True).text
    fields = dict(line.split(":", 1) for line in summary.splitlines() if ":" in line)
    try:
        used = int(fields["Inode count"]) - int(fields["Free inodes"])
    except (KeyError, ValueError) as error:
        raise BuildError(f"reading the superblock of {opened}: dumpe2fs said no inode count") from error
    for inode in (_ROOT_INODE, *range(_FIRST_INODE, used + 1)):
        for name in ("ctime", "atime"):
            yield f"set_inode_field <{inode}> {name} @{epoch}"


def _root(inventory: Inventory) -> Iterator[str]:
    top = inventory.entries["."]
    fields = {"mode": f"0{top.mode:o}", "uid": top.uid, "gid": top.gid, "mtime": f"@{top.mtime_ns // _NANOSECONDS}"}
    for name, value in fields.items():
        yield f"set_inode_field <{_ROOT_INODE}> {name} {value}"


def _concerned(inventory: Inventory) -> Iterator[str]:
    """Give the paths whose inodes must be known by their numbers."""
    for path, entry in inventory.entries.items():
        if len(entry.attributes) > 1:
            yield path
    for paths in inventory.links:
        if stat.S_ISLNK(inventory.entries[paths[0]].mode):
            yield from paths


def _numbers(image: Path, inventory: Inventory, start_bytes: int) -> Mapping[str, int]:
    """Return the inode numbers of the paths concerned, which are few, if any.

    The kernel is asked: it takes any name, where a file of commands has no way to write one that holds a line feed.
    """
    paths = sorted(_concerned(inventory), key=os.fsencode)  # whatever the locale makes of them
    if not paths:
        return {}
    point = image.with_suffix(f".{start_bytes}.numbers")
    point.mkdir()
    flags = kernel.MS_RDONLY | kernel.MS_NODEV | kernel.MS_NOSUID
    attached = loop_device(image, read_only=True, start_bytes=start_bytes)
    with attached as device, mounted(str(device), point, "ext4", flags, "noload"):
        numbers = {path: (point / path).lstat().st_ino for path in paths}
    point.rmdir()
    return numbers


def _attributes(inventory: Inventory, numbers: Mapping[str, int], values: Path) -> Iterator[str]:
    """Set the attributes anew in the order of their names; *values* is where their values are put."""
    for path, inode in numbers.items():
        attributes = inventory.entries[path].attributes
        if any(b"\n" in name for name, _ in attributes):
            continue  # no command can name it
        for name, _ in attributes:
            yield f"ea_rm <{inode}> {_quoted(os.fsdecode(name))}"
        for number, (name, value) in enumerate(attributes):
            file = values / f"{inode}-{number}"
            file.write_bytes(value)
            yield f"ea_set -f {_quoted(str(file))} <{inode}> {_quoted(os.fsdecode(name))}"


def _links(inventory: Inventory, numbers: Mapping[str, int]) -> Iterator[str]:
    """Make one inode of the symbolic links that are one in the tree; the check finds what no command can name."""
    for first, *others in sorted(inventory.links, key=lambda paths: os.fsencode(paths[0])):
        if first not in numbers or not stat.S_ISLNK(inventory.entries[first].mode):
            continue
        for other in others:
            if "\n" not in other and numbers[other] != numbers[first]:
                yield f"kill_file <{numbers[other]}>"
                yield f"clri <{numbers[other]}>"
                yield f"unlink {_quoted('/' + other)}"
                yield f"link <{numbers[first]}> {_quoted('/' + other)}"
        yield f"set_inode_field <{numbers[first]}> links_count {1 + len(others)}"


def _quoted(word: str) -> str:
    doubled = word.replace('"', '""')
    return f'"{doubled}"'
