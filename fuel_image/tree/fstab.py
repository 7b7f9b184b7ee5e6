"""The tree's fstab(5).

Owns the lines for the partitions of a disk. It must not touch what somebody else has written for other mount points.
"""

from __future__ import annotations

from fuel_image.tree.machine_disk import MachineDisk, MachinePartition
from fuel_image.tree.root import Tree

_FSTAB = "/etc/fstab"
_UNCONFIGURED = "# UNCONFIGURED"
_OPTIONS = {
    "vfat": "umask=0077",  # the keys and the configuration of a boot loader are nobody's business
    "swap": "sw",
}
_EXT = ("ext2", "ext3", "ext4")
_ROOT_OPTIONS = "errors=remount-ro"
"""What an installer gives a root of the ext kind: a machine that has found an error lets nothing more be written."""
_CHECKED = (*_EXT, "vfat")
"""File systems that fsck looks at when the machine boots; xfs and btrfs look after themselves."""


def write(tree: Tree, disk: MachineDisk) -> None:
    """Write a line for each partition, by its UUID: how the kernel calls a disk depends on the machine."""
    mounts = {one.mount for one in disk.mounted}
    old = tree.read(_FSTAB).splitlines() if tree.exists(_FSTAB) else []
    kept = [
        line for line in old if not line.startswith(_UNCONFIGURED) and line.split()[1:2] not in [[m] for m in mounts]
    ]
    lines = [_line(one) for one in reversed(disk.mounted)]
    lines += [_line(one) for one in disk.partitions if one.mount is None]
    tree.write(_FSTAB, "".join(f"{line}\n" for line in (*lines, *kept)))


def _line(partition: MachinePartition) -> str:
    order = 0 if partition.format not in _CHECKED else 1 if partition.mount == "/" else 2
    is_ext_root = partition.mount == "/" and partition.format in _EXT
    options = _ROOT_OPTIONS if is_ext_root else _OPTIONS.get(partition.format, "defaults")
    return f"UUID={partition.uuid} {partition.mount or 'none'} {partition.format} {options} 0 {order}"
