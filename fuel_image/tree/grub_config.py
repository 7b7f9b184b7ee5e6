"""GRUB's configuration for a disk that is not there yet.

Owns the run of the tree's own grub-mkconfig, which asks grub-probe for devices and grub-mkrelpath for mount points; of
both a tree in a directory has none, so that stand-ins answer with what the disk will be. What a machine makes of it
later, with its own grub-probe, is the same. It must not know what firmware starts GRUB.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace

from fuel_image.tree.chroot import Chroot
from fuel_image.tree.machine_disk import MachineDisk, MachinePartition
from fuel_image.tree.root import Tree

GRUB = "/boot/grub"
_PROBE, _RELPATH = "/usr/sbin/grub-probe", "/usr/bin/grub-mkrelpath"
_ASIDE = ".set-aside-by-fuel-image"
_BY_UUID = "/dev/disk/by-uuid"
PARTITION_MAPS = {"gpt": "gpt", "mbr": "msdos"}
"""What GRUB calls the kinds of partition tables."""
FILESYSTEM_MODULES = {"ext2": "ext2", "ext3": "ext2", "ext4": "ext2", "xfs": "xfs", "btrfs": "btrfs", "vfat": "fat"}
"""What GRUB calls the file systems."""
_SETTINGS = "/etc/default/grub.d/50-fuel-image-disk.cfg"
# The last console is the one that the kernel and systemd speak to; the request's own parameters come behind these.
_CONSOLES = """\
# Made by fuel-image: a machine of any kind shows how it boots, on the screen and on the first serial port.
GRUB_CMDLINE_LINUX_DEFAULT=""
GRUB_CMDLINE_LINUX="console=tty0 console=ttyS0,115200n8 $GRUB_CMDLINE_LINUX"
GRUB_TERMINAL="console serial"
GRUB_SERIAL_COMMAND="serial --speed=115200"
GRUB_TIMEOUT_STYLE=menu
GRUB_TIMEOUT=1
GRUB_RECORDFAIL_TIMEOUT=1
"""
_PROBE_SCRIPT = """\
#!/bin/sh
target= what=
while [ $# -gt 0 ]; do
    case "$1" in
    --target=*) target=${{1#*=}} ;;
    -t | --target) target=$2; shift ;;
    -*) ;;
    *) what=$1 ;;
    esac
    shift
done
case "$what" in
{cases}
esac
case "$target" in
device) echo "{by_uuid}/$uuid" ;;
fs_uuid) echo "$uuid" ;;
fs) echo "$fs" ;;
partmap) echo "{map}" ;;
drive) echo "(hd0,{map}$number)" ;;
esac
"""
_RELPATH_SCRIPT = """\
#!/bin/sh
for path; do :; done
case "$path" in
{cases}
esac
"""


def make(chroot: Chroot, disk: MachineDisk) -> None:
    """Make grub.cfg. Raises CommandError."""
    tree = chroot.tree
    tree.mkdir(GRUB)
    tree.mkdir(_SETTINGS.rpartition("/")[0])
    tree.write(_SETTINGS, _CONSOLES)
    tree.mkdir(_BY_UUID)
    for one in disk.partitions:  # grub-mkconfig names a root by its UUID where udev has made this
        tree.write(f"{_BY_UUID}/{one.uuid}", "")
    doing = "making GRUB's configuration"
    with ExitStack() as stack:
        stack.enter_context(_standing_in(tree, _PROBE, _probe(disk)))
        stack.enter_context(_standing_in(tree, _RELPATH, _relpath(disk)))
        chroot.run("grub-editenv", f"{GRUB}/grubenv", "create", doing=doing)
        # What os-prober would find are the host's disks.
        alone = replace(chroot, environment={**chroot.environment, "GRUB_DISABLE_OS_PROBER": "true"})
        alone.run("grub-mkconfig", f"--output={GRUB}/grub.cfg", doing=doing)


@contextmanager
def _standing_in(tree: Tree, program: str, script: str) -> Iterator[None]:
    """Let a script stand in for a program of the tree for the length of the block."""
    tree.move(program, program + _ASIDE)
    tree.write(program, script, mode=0o755)
    try:
        yield
    finally:
        tree.move(program + _ASIDE, program)


def _pattern(partition: MachinePartition) -> str:
    """Return the paths on a partition, as a pattern of sh; that of a deeper one comes first."""
    return "*" if partition.mount == "/" else f"{partition.mount} | {partition.mount}/*"


def _probe(disk: MachineDisk) -> str:
    facts = {
        one.uuid: f"number={one.number} uuid={one.uuid} fs={FILESYSTEM_MODULES[one.format]}" for one in disk.mounted
    }
    cases = [f"{_BY_UUID}/{uuid}) {fact} ;;" for uuid, fact in facts.items()]
    cases += [f"{_pattern(one)}) {facts[one.uuid]} ;;" for one in disk.mounted]
    return _PROBE_SCRIPT.format(cases="\n".join(cases), by_uuid=_BY_UUID, map=PARTITION_MAPS[disk.table])


def _relpath(disk: MachineDisk) -> str:
    cases = []
    for one in disk.mounted:
        strip = "" if one.mount == "/" else f"#{one.mount}"
        cases.append(f'{_pattern(one)}) echo "${{path{strip}}}" ;;')
    return _RELPATH_SCRIPT.format(cases="\n".join(cases))
