"""What the host must have before anything is made.

Owns the checks of tools, architecture and space. All that is missing is reported at once. It must not make
anything but the directories that it checks.
"""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Sequence
from pathlib import Path

from fuel_image.errors import HostError
from fuel_image.host.command import find
from fuel_image.suites import ARCHITECTURES

_PACKAGES = {
    "mke2fs": "e2fsprogs",
    "e2fsck": "e2fsprogs",
    "debugfs": "e2fsprogs",
    "dumpe2fs": "e2fsprogs",
    "mkfs.xfs": "xfsprogs",
    "xfs_repair": "xfsprogs",
    "mkfs.btrfs": "btrfs-progs",
    "btrfs": "btrfs-progs",
    "gpgv": "gpgv (Debian) or gnupg2 (EL)",
    "blkid": "util-linux",
    "setpriv": "util-linux",
    "cp": "coreutils",
    "mksquashfs": "squashfs-tools",
    "gpg": "gpg and gpg-agent (Debian) or gnupg2 (EL)",
    "gpgconf": "gpgconf (Debian) or gnupg2 (EL)",
    "sfdisk": "fdisk (Debian) or util-linux (EL)",
    "mkswap": "util-linux",
    "mkfs.vfat": "dosfstools",
    "fsck.vfat": "dosfstools",
    "mmd": "mtools",
    "mcopy": "mtools",
    "resize2fs": "e2fsprogs",
    "qemu-system-x86_64": "qemu-system-x86",
    "qemu-img": "qemu-utils (Debian) or qemu-img (EL)",
}
_RUNS_TOO = {("x86_64", "i386"), ("aarch64", "armhf")}
_NO_UPPER = {"overlay", "nfs", "nfs4"}
"""File systems that cannot hold the upper directory of an overlay (the kernel's filesystems/overlayfs.rst)."""
_LEAST_FREE_BYTES = 1 << 30


def check(tools: Sequence[str], arch: str) -> None:
    """Raise HostError that names every tool that this host lacks, and the processor if it does."""
    machine = platform.machine()
    runs = ARCHITECTURES[arch] == machine or (machine, arch) in _RUNS_TOO
    check_tools(tools, () if runs else (f"a processor that runs {arch} (this is {machine})",))


def check_tools(tools: Sequence[str], others: Sequence[str] = ()) -> None:
    """Raise HostError that names every tool that this host lacks, and what *others* it is known to lack."""
    lacks = [f"the program {tool} (package {_PACKAGES.get(tool, tool)})" for tool in tools if find(tool) is None]
    if lacks or others:
        raise HostError("this host lacks: " + "; ".join((*lacks, *others)))


def check_directories(trees: Sequence[Path], output: Path) -> None:
    """Raise HostError that names every directory that cannot be had, written to or filled.

    *trees* are those in which root trees are made, as overlays.
    """
    lacks = [problem for directory in (*trees, output) for problem in _directory_problems(directory)]
    if lacks:
        raise HostError("this host lacks: " + "; ".join(lacks))
    unfit = [f"{directory} is on {kind}" for directory in trees for kind in _kinds(directory) & _NO_UPPER]
    if unfit:
        raise HostError(
            "this host lacks a directory that can hold trees: " + "; ".join(unfit),
            advice="give a --work-dir and a --cache-dir on a disk or, in a container, on a volume",
        )


def _directory_problems(directory: Path) -> list[str]:
    try:
        if not directory.exists():
            directory.mkdir(parents=True)
            directory.chmod(0o755)  # whatever our umask: a web server reads the output
        free = shutil.disk_usage(directory).free
    except OSError as error:
        return [f"a directory {directory} ({error.strerror})"]
    if not os.access(directory, os.W_OK):
        return [f"permission to write to {directory}"]
    if free < _LEAST_FREE_BYTES:
        return [f"space in {directory}: {free >> 20} MiB are free, at least {_LEAST_FREE_BYTES >> 20} are needed"]
    return []


def _kinds(directory: Path) -> set[str]:
    """Return what file system a directory is on, by its device; several mounts may show the same."""
    device = os.stat(directory).st_dev
    number = f" {os.major(device)}:{os.minor(device)} "
    mounts = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    return {line.partition(" - ")[2].split(" ")[0] for line in mounts if number in line}  # proc_pid_mountinfo(5)
