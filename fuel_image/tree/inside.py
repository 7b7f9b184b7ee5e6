"""The first process inside the root tree.

Owns the last step into the tree: ``python -m fuel_image.tree.inside ROOT PROGRAM ARGUMENT...`` enters PID, mount,
network, IPC and UTS namespaces, makes ROOT the root, gives up the capabilities with which root reaches beyond a tree,
runs the program, reaps what it leaves behind, and ends with its exit code; everything else then dies with the PID
namespace, daemons that a package started among it.

It is a program of its own because a process must be alone in its threads to do this. It must import next to nothing:
it starts for every command that runs in the tree.
"""

from __future__ import annotations

import os
import signal
import sys

from fuel_image.host import kernel

_READ_ONLY = ("/proc/sys", "/proc/sysrq-trigger", "/proc/irq", "/proc/bus")
_DROPPED = (
    2,  # DAC_READ_SEARCH: opens files of a whole file system by their handles, chroot or not
    14,  # IPC_LOCK
    16,  # SYS_MODULE
    17,  # SYS_RAWIO
    20,  # SYS_PACCT
    21,  # SYS_ADMIN: mounting is how one gets a file system without nodev
    22,  # SYS_BOOT
    24,  # SYS_RESOURCE
    25,  # SYS_TIME
    26,  # SYS_TTY_CONFIG
    30,  # AUDIT_CONTROL
    32,  # MAC_OVERRIDE
    33,  # MAC_ADMIN
    34,  # SYSLOG
    35,  # WAKE_ALARM
    36,  # BLOCK_SUSPEND
    38,  # PERFMON
    39,  # BPF
    40,  # CHECKPOINT_RESTORE
)
"""Capabilities by number (linux/capability.h)."""


def main(arguments: list[str]) -> int:
    """Enter the tree ``arguments[0]`` and run the program ``arguments[1:]``."""
    root, *argv = arguments
    kernel.unshare(
        kernel.CLONE_NEWPID | kernel.CLONE_NEWNS | kernel.CLONE_NEWNET | kernel.CLONE_NEWIPC | kernel.CLONE_NEWUTS
    )
    first = os.fork()
    if first == 0:
        kernel.die_with_parent(signal.SIGKILL)
        _enter(root)
        os._exit(_run_and_reap(argv))
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: os.kill(first, signal.SIGKILL))
    _, status = os.waitpid(first, 0)
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def _enter(root: str) -> None:
    """Make *root* the root of this mount namespace, with proc and sys, and nothing of the host's."""
    kernel.mount("none", "/", flags=kernel.MS_REC | kernel.MS_PRIVATE)
    os.chdir(root)
    kernel.pivot_root(".", ".")
    # The old root is now mounted over the new one; it is the host's, not a product, so it may go lazily.
    kernel.umount(".", kernel.MNT_DETACH)
    os.chdir("/")
    flags = kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC
    kernel.mount("proc", "/proc", "proc", flags)
    kernel.mount("sysfs", "/sys", "sysfs", flags | kernel.MS_RDONLY)
    for path in _READ_ONLY:
        if os.path.exists(path):
            kernel.mount(path, path, flags=kernel.MS_BIND)
            kernel.mount("none", path, flags=kernel.MS_BIND | kernel.MS_REMOUNT | kernel.MS_RDONLY | flags)
    descriptor = os.open("/proc/sys/kernel/cap_last_cap", os.O_RDONLY)
    last = int(os.read(descriptor, 16))  # as bytes: a text file would import its codec, and the host's Python is gone
    os.close(descriptor)
    for number in _DROPPED:
        if number <= last:
            kernel.drop_capability(number)


def _run_and_reap(argv: list[str]) -> int:
    """Run the program as our child and wait for whatever ends, until it does."""
    child = os.fork()
    if child == 0:
        os.umask(0o022)
        os.environ.pop("PYTHONPATH", None)
        preload = os.environ.pop("FUEL_IMAGE_PRELOAD", "")
        if preload:
            os.environ["LD_PRELOAD"] = preload
        try:
            os.execvp(argv[0], argv)
        except OSError as error:
            sys.stderr.write(f"{argv[0]}: {error.strerror}\n")
            sys.stderr.flush()
            os._exit(127)
    while True:
        ended, status = os.wait()
        if ended == child:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
