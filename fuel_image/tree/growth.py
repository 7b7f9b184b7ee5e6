"""The growing of a file system when its machine boots from a larger disk.

Owns a unit that does it before anything else needs the room, with cloud-init or without: where cloud-init finds no data
source it does nothing at all. It must not fail a boot.
"""

from __future__ import annotations

from fuel_image.tree.machine_disk import MachineDisk
from fuel_image.tree.root import Tree

_PROGRAM = "/usr/lib/fuel-image/grow"
_UNITS = "/etc/systemd/system"
_UNIT = "grow-file-system.service"
_RESIZE = {
    **dict.fromkeys(("ext2", "ext3", "ext4"), 'resize2fs "$device"'),
    "xfs": 'xfs_growfs "$mount"',
    "btrfs": 'btrfs filesystem resize max "$mount"',
}
_SCRIPT = """\
#!/bin/sh
# Made by fuel-image: the partition of {mount} and its file system take the whole disk.
mount={mount}
device=$(readlink -f "$(findmnt --noheadings --output SOURCE "$mount")")
block=/sys/class/block/${{device##*/}}
[ -e "$block/partition" ] || exit 0
disk=$(readlink -f "$block/..")
growpart "/dev/${{disk##*/}}" "$(cat "$block/partition")" || true  # 1 means that there is nothing to grow
{resize} || true
"""
_SERVICE = """\
# Made by fuel-image
[Unit]
Description=Grow {mount} to the size of the disk
DefaultDependencies=no
RequiresMountsFor={mount} /usr /tmp
After=systemd-remount-fs.service
Before=cloud-init-local.service shutdown.target
Conflicts=shutdown.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart={program}

[Install]
WantedBy=multi-user.target
"""


def install(tree: Tree, disk: MachineDisk) -> None:
    """Let the file system of the partition that is to grow do so at each boot; nothing where none is."""
    for one in disk.mounted:
        if one.grow:
            tree.mkdir(_PROGRAM.rpartition("/")[0])
            tree.write(_PROGRAM, _SCRIPT.format(mount=one.mount, resize=_RESIZE[one.format]), mode=0o755)
            tree.mkdir(f"{_UNITS}/multi-user.target.wants")
            tree.write(f"{_UNITS}/{_UNIT}", _SERVICE.format(mount=one.mount, program=_PROGRAM))
            link = f"{_UNITS}/multi-user.target.wants/{_UNIT}"
            tree.remove(link)
            tree.symlink(link, f"{_UNITS}/{_UNIT}")
