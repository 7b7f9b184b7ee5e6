"""The first process inside the root tree.

Owns the last step into the tree: ``python -m fuel_image.tree.inside ROOT PROGRAM ARGUMENT...`` enters PID, mount,
network, IPC and UTS namespaces, makes ROOT the root, gives up the capabilities and system calls with which root reaches
beyond a tree, runs the program, reaps what it leaves behind, and ends with its exit code; everything else then dies
with the PID namespace, daemons that a package started among it. It is itself the first process that the tree sees, and
a program of the host, run by a stranger's root: it has no more rights than they have, and is closed to them.

It is a program of its own because a process must be alone in its threads to do this. It must import next to nothing:
it starts for every command that runs in the tree.
"""

from __future__ import annotations

import errno
import os
import signal
import sys

from fuel_image.host import kernel
from fuel_image.tree import calls

_DROPPED = (
    2,  # DAC_READ_SEARCH: opens files of a whole file system by their handles, chroot or not
    9,  # LINUX_IMMUTABLE: makes files that nobody can remove, and that no image can hold
    14,  # IPC_LOCK
    16,  # SYS_MODULE
    17,  # SYS_RAWIO
    19,  # SYS_PTRACE: looks into this process, whose program is a file of the host
    20,  # SYS_PACCT
    21,  # SYS_ADMIN: mounting is how one gets a file system without nodev
    22,  # SYS_BOOT
    23,  # SYS_NICE: takes the processor from everybody else
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
_DROPPED_WITH_NETWORK = (
    10,  # NET_BIND_SERVICE
    11,  # NET_BROADCAST
    12,  # NET_ADMIN
    13,  # NET_RAW
)
"""Those with which root changes a network, or listens in on it, where that is the host's."""
NETWORK = "--network"
_WRITABLE = 0o222
_FIRST_TO_GO = b"1000"
"""When memory runs out, the kernel ends a program of the tree before any of the host's (proc_pid_oom_score_adj(5))."""
_NAME = b"localhost"
"""How the machine is named in the tree, as in the image: some packages write it down when they are configured."""
_MOST_PROCESSES = b"4096"
_PROCESSES_BOUNDED_SINCE = (6, 14)
"""The Linux in which a PID namespace has a pid_max of its own; before that it is the whole host's."""


def main(arguments: list[str]) -> int:
    """Enter the tree ``arguments[0]`` and run the program ``arguments[1:]``; after ``--network`` in the host's."""
    network = arguments[0] == NETWORK
    root, *argv = arguments[1:] if network else arguments
    kernel.unshare(
        kernel.CLONE_NEWPID
        | kernel.CLONE_NEWNS
        | kernel.CLONE_NEWIPC
        | kernel.CLONE_NEWUTS
        | (0 if network else kernel.CLONE_NEWNET)
    )
    first = os.fork()
    if first == 0:
        kernel.die_with_parent(signal.SIGKILL)
        _enter(root, network)
        os._exit(run_and_reap(argv))
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: os.kill(first, signal.SIGKILL))
    _, status = os.waitpid(first, 0)
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def _enter(root: str, network: bool) -> None:
    """Make *root* the root of this mount namespace, with proc and sys, and nothing of the host's but its *network*."""
    kernel.mount("none", "/", flags=kernel.MS_REC | kernel.MS_PRIVATE)
    os.chdir(root)
    kernel.pivot_root(".", ".")
    # The old root is now mounted over the new one; it is the host's, not a product, so it may go lazily.
    kernel.umount(".", kernel.MNT_DETACH)
    os.chdir("/")
    flags = kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC
    kernel.mount("proc", "/proc", "proc", flags)
    kernel.mount("sysfs", "/sys", "sysfs", flags | kernel.MS_RDONLY)
    _write("/proc/self/oom_score_adj", _FIRST_TO_GO)
    if _linux() >= _PROCESSES_BOUNDED_SINCE:
        _write("/proc/sys/kernel/pid_max", _MOST_PROCESSES)
    descriptor = os.open("/proc/sys/kernel/cap_last_cap", os.O_RDONLY)
    last = int(os.read(descriptor, 16))  # as bytes: a text file would import its codec, and the host's Python is gone
    os.close(descriptor)
    close_kernel()
    kernel.set_host_name(_NAME)
    if not network:
        kernel.let_loopback_up()
    calls.refuse()
    dropped = _DROPPED + _DROPPED_WITH_NETWORK if network else _DROPPED
    kernel.drop_capabilities([number for number in dropped if number <= last])
    kernel.hide_from_others()


def close_kernel() -> None:
    """Make read-only what of /proc is the whole host's."""
    flags = kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC | kernel.MS_RDONLY
    for path in _of_the_kernel():
        kernel.mount(path, path, flags=kernel.MS_BIND)
        kernel.mount("none", path, flags=kernel.MS_BIND | kernel.MS_REMOUNT | flags)


def _linux() -> tuple[int, ...]:
    """Return the version of the kernel that runs, such as (6, 8)."""
    parts = os.uname().release.replace("-", ".").replace("+", ".").split(".")
    return tuple(int(part) for part in parts[:2])


def _of_the_kernel() -> list[str]:
    """Return what of /proc is no process's and can be written to: it is the whole host's."""
    with os.scandir("/proc") as entries:
        return [
            entry.path
            for entry in entries
            if not (entry.name.isdecimal() or entry.is_symlink())
            and (entry.is_dir() or entry.stat().st_mode & _WRITABLE)
        ]


def _write(path: str, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY)
    os.write(descriptor, content)
    os.close(descriptor)


def run_and_reap(argv: list[str]) -> int:
    """Run the program as our child and wait for whatever ends, until it does."""
    child = os.fork()
    if child == 0:
        os.umask(0o022)
        if not os.isatty(0):  # a shell that a person uses needs the terminal
            os.setsid()  # who ends its whole process group must not end us: who runs us would not know why
        os.environ.pop("PYTHONPATH", None)  # it was ours, to be found by
        if "FUEL_IMAGE_PYTHONPATH" in os.environ:
            os.environ["PYTHONPATH"] = os.environ.pop("FUEL_IMAGE_PYTHONPATH")
        preload = os.environ.pop("FUEL_IMAGE_PRELOAD", "")
        if preload:
            os.environ["LD_PRELOAD"] = preload
        try:
            os.execvp(argv[0], argv)
        except OSError as error:
            if error.errno == errno.ENOEXEC:  # a script without #!, which a shell would run
                os.execv("/bin/sh", ["/bin/sh", *argv])
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
