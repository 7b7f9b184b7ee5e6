"""The first process of a program that works on a tree from the host.

Owns the closing of the host before an element's hook runs there: ``python -m fuel_image.tree.outside TREE DIRECTORY
WRITABLE... -- PROGRAM ARGUMENT...`` enters PID, mount, IPC and UTS namespaces, makes everything read-only but TREE,
DIRECTORY and the directories WRITABLE, shows the tree at DIRECTORY/mnt with proc and sys, and its devices as those of
the host, lets what is written to /tmp vanish at the end, and runs the program in DIRECTORY. What the program mounts
goes when it ends. All this keeps a hook from changing the host by mistake, which is how hooks do it; one that is out to
do harm is root on the host, as it is with diskimage-builder. All paths are those that the kernel knows: without links.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Sequence

from fuel_image.host import kernel
from fuel_image.tree.inside import close_kernel, run_and_reap

_FLAGS = {
    "nosuid": kernel.MS_NOSUID,
    "nodev": kernel.MS_NODEV,
    "noexec": kernel.MS_NOEXEC,
    "noatime": kernel.MS_NOATIME,
}
_TMP = "/tmp"
_SCRATCH = ".scratch"
MOUNT_POINT = "mnt"
"""Where in its directory a hook finds the tree."""
_SOCKETS = ("/run/systemd/private", "/run/dbus/system_bus_socket", "/run/docker.sock")
"""By way of which a program asks a daemon to change the host."""
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
    tree, directory, *others = arguments[:split]
    kernel.unshare(kernel.CLONE_NEWPID | kernel.CLONE_NEWNS | kernel.CLONE_NEWIPC | kernel.CLONE_NEWUTS)
    first = os.fork()
    if first == 0:
        kernel.die_with_parent(signal.SIGKILL)
        try:
            _close(tree, directory, [tree, directory, *others])
        except OSError as error:
            sys.stderr.write(f"closing the host to a hook: {error}\n")
            sys.stderr.flush()
            os._exit(126)
        os._exit(run_and_reap(arguments[split + 1 :]))
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: os.kill(first, signal.SIGKILL))
    _, status = os.waitpid(first, 0)
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def _close(tree: str, directory: str, writable: Sequence[str]) -> None:
    kernel.mount("none", "/", flags=kernel.MS_REC | kernel.MS_PRIVATE)
    for path in writable:
        kernel.mount(path, path, flags=kernel.MS_BIND | kernel.MS_REC)
    for point, flags in _mounts():
        if not any(point == path or point.startswith(f"{path}/") for path in writable):
            _make_read_only(point, flags)
    flags = kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC
    kernel.mount("proc", "/proc", "proc", flags)
    close_kernel()
    kernel.mount("proc", f"{tree}/proc", "proc", flags | kernel.MS_RDONLY)
    kernel.mount("sysfs", f"{tree}/sys", "sysfs", flags | kernel.MS_RDONLY)
    for socket in _SOCKETS:
        if os.path.exists(socket):
            kernel.mount("/dev/null", socket, flags=kernel.MS_BIND)
    kernel.mount(f"{tree}/dev", "/dev", flags=kernel.MS_BIND | kernel.MS_REC)
    os.makedirs(f"{directory}/{MOUNT_POINT}", exist_ok=True)
    kernel.mount(tree, f"{directory}/{MOUNT_POINT}", flags=kernel.MS_BIND | kernel.MS_REC)
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
    escaped = scratch.replace("\\", "\\\\").replace(":", "\\:").replace(",", "\\,")
    options = f"lowerdir={top},upperdir={escaped}/upper,workdir={escaped}/work"
    kernel.mount("overlay", top, "overlay", kernel.MS_NOSUID | kernel.MS_NODEV, options)
    for path, descriptor in below:
        kernel.mount(f"/proc/self/fd/{descriptor}", path, flags=kernel.MS_BIND | kernel.MS_REC)
        os.close(descriptor)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
