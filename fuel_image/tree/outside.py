"""The first process of a program that works on a tree from the host.

Owns the closing of the host before an element's hook runs there: ``python -m fuel_image.tree.outside DEVICES DIRECTORY
WRITABLE... -- PROGRAM ARGUMENT...`` enters PID, mount, IPC and UTS namespaces, makes everything read-only but the
directories WRITABLE, shows the devices in DEVICES as /dev, lets what is written to /tmp vanish at the end, and runs the
program in DIRECTORY, which is writable, too. It keeps a hook from changing the host by mistake, which is how hooks do
it; one that is out to do harm is root on the host, as it is with diskimage-builder.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Sequence

from fuel_image.host import kernel
from fuel_image.tree.inside import run_and_reap

_FLAGS = {
    "nosuid": kernel.MS_NOSUID,
    "nodev": kernel.MS_NODEV,
    "noexec": kernel.MS_NOEXEC,
    "noatime": kernel.MS_NOATIME,
}
_TMP = "/tmp"
_SCRATCH = ".scratch"
_NOT_THERE = (errno.ENOENT, errno.EINVAL)
"""What one gets for a mount that another one covers."""
_REFUSED = (
    16,  # SYS_MODULE
    17,  # SYS_RAWIO
    22,  # SYS_BOOT
    25,  # SYS_TIME
    12,  # NET_ADMIN
)
"""Capabilities by number (linux/capability.h) that no tree needs anybody to have."""


def main(arguments: list[str]) -> int:
    """Close the host and run the program; end with its exit code."""
    split = arguments.index("--")
    devices, directory, *writable = arguments[:split]
    kernel.unshare(kernel.CLONE_NEWPID | kernel.CLONE_NEWNS | kernel.CLONE_NEWIPC | kernel.CLONE_NEWUTS)
    first = os.fork()
    if first == 0:
        kernel.die_with_parent(signal.SIGKILL)
        _close(devices, directory, [directory, *writable])
        os._exit(run_and_reap(arguments[split + 1 :]))
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: os.kill(first, signal.SIGKILL))
    _, status = os.waitpid(first, 0)
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def _close(devices: str, directory: str, writable: Sequence[str]) -> None:
    kernel.mount("none", "/", flags=kernel.MS_REC | kernel.MS_PRIVATE)
    for path in writable:
        kernel.mount(path, path, flags=kernel.MS_BIND | kernel.MS_REC)
    for point, flags in _mounts():
        if not any(point == path or point.startswith(f"{path}/") for path in writable):
            _make_read_only(point, flags)
    kernel.mount("proc", "/proc", "proc", kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC)
    kernel.mount(devices, "/dev", flags=kernel.MS_BIND | kernel.MS_REC)
    _let_vanish(_TMP, f"{directory}/{_SCRATCH}", writable)
    os.chdir(directory)
    kernel.drop_capabilities(_REFUSED)


def _mounts() -> list[tuple[str, int]]:
    """Return every mount point and its flags (proc_pid_mountinfo(5))."""
    found = []
    with open("/proc/self/mountinfo", "rb") as file:
        for line in file:
            fields = line.split(b" ")
            point = os.fsdecode(fields[4].decode("unicode_escape").encode("latin-1"))
            options = fields[5].decode("ascii").split(",")
            found.append((point, sum(_FLAGS.get(option, 0) for option in options)))
    return found


def _make_read_only(point: str, flags: int) -> None:
    try:
        kernel.mount("none", point, flags=kernel.MS_BIND | kernel.MS_REMOUNT | kernel.MS_RDONLY | flags)
    except OSError as error:
        if error.errno not in _NOT_THERE:
            raise


def _let_vanish(top: str, scratch: str, writable: Sequence[str]) -> None:
    """Let what is written below *top* go to memory; what of *writable* lies there stays as it is."""
    below = [(path, os.open(path, os.O_PATH | os.O_DIRECTORY)) for path in writable if path.startswith(f"{top}/")]
    os.makedirs(scratch, exist_ok=True)
    kernel.mount("tmpfs", scratch, "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, "mode=0700")
    for name in ("upper", "work"):
        os.mkdir(f"{scratch}/{name}")
    os.chmod(f"{scratch}/upper", 0o1777)
    options = f"lowerdir={top},upperdir={scratch}/upper,workdir={scratch}/work"
    kernel.mount("overlay", top, "overlay", kernel.MS_NOSUID | kernel.MS_NODEV, options)
    for path, descriptor in below:
        kernel.mount(f"/proc/self/fd/{descriptor}", path, flags=kernel.MS_BIND | kernel.MS_REC)
        os.close(descriptor)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
