"""System calls that Python does not offer.

Owns the ctypes border: every function here is one system call that raises OSError, and nothing else. It must not
import the rest of the package, because the helper that enters the root tree starts with it.
"""

from __future__ import annotations

import ctypes
import os
import platform
import sys
from collections.abc import Collection

CLONE_NEWNS = 0x00020000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_RDONLY = 0x1
MS_NOSUID = 0x2
MS_NODEV = 0x4
MS_NOEXEC = 0x8
MS_REMOUNT = 0x20
MS_NOATIME = 0x400
MS_BIND = 0x1000
MS_REC = 0x4000
MS_PRIVATE = 0x40000
MS_SLAVE = 0x80000

MNT_DETACH = 0x2

_AF_INET, _SOCK_DGRAM = 2, 2
_SIOCSIFFLAGS, _IFF_UP = 0x8914, 1
_NAME_BYTES, _IFREQ_BYTES = 16, 40

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_SET_SECCOMP = 22
_PR_CAPBSET_DROP = 24
_SECCOMP_MODE_FILTER = 2
_CAPABILITY_VERSION_3 = 0x20080522

RESOLVE_IN_ROOT = 0x10
"""openat2(2): treat the directory as the root, for absolute symbolic links and ``..`` alike."""

_SYS_OPENAT2 = 437  # the same on every architecture since Linux 5.1 unified the tables
_SYS_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41, "ppc64le": 203, "s390x": 217, "riscv64": 41, "armv7l": 218}

_libc = ctypes.CDLL(None, use_errno=True)


class _OpenHow(ctypes.Structure):
    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


class _CapabilityHeader(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _FilterProgram(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def _checked(result: int, subject: object = None) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), None if subject is None else str(subject))
    return result


def unshare(flags: int) -> None:
    """Move this process into new namespaces: unshare(2)."""
    _checked(_libc.unshare(ctypes.c_int(flags)))


def mount(source: str, target: str, fstype: str = "", flags: int = 0, options: str = "") -> None:
    """Attach a file system or change one: mount(2)."""
    arguments = (
        source.encode(),
        target.encode(),
        fstype.encode() or None,
        ctypes.c_ulong(flags),
        options.encode() or None,
    )
    _checked(_libc.mount(*arguments), target)


def umount(target: str, flags: int = 0) -> None:
    """Detach a file system: umount2(2)."""
    _checked(_libc.umount2(target.encode(), ctypes.c_int(flags)), target)


def pivot_root(new_root: str, put_old: str) -> None:
    """Make *new_root*, a mount point, the root of this mount namespace: pivot_root(2)."""
    number = _SYS_PIVOT_ROOT[platform.machine()]
    _checked(_libc.syscall(ctypes.c_long(number), new_root.encode(), put_old.encode()), new_root)


def set_host_name(name: bytes) -> None:
    """Name the machine, in this UTS namespace: sethostname(2)."""
    _checked(_libc.sethostname(name, ctypes.c_size_t(len(name))))


def let_loopback_up() -> None:
    """Let programs of this network namespace reach each other: netdevice(7)."""
    descriptor = _checked(_libc.socket(_AF_INET, _SOCK_DGRAM, 0))
    try:
        interface = b"lo".ljust(_NAME_BYTES, b"\0") + _IFF_UP.to_bytes(2, sys.byteorder)
        request = ctypes.create_string_buffer(interface, _IFREQ_BYTES)
        _checked(_libc.ioctl(descriptor, ctypes.c_ulong(_SIOCSIFFLAGS), request))
    finally:
        os.close(descriptor)


def die_with_parent(signal_number: int) -> None:
    """Have the kernel send *signal_number* to this process when its parent ends: prctl(PR_SET_PDEATHSIG)."""
    _checked(_libc.prctl(_PR_SET_PDEATHSIG, ctypes.c_ulong(signal_number), 0, 0, 0))


def drop_capabilities(numbers: Collection[int]) -> None:
    """Remove capabilities from every set of this process for good, and from what it may gain: capset(2), prctl(2)."""
    for number in numbers:
        _checked(_libc.prctl(_PR_CAPBSET_DROP, ctypes.c_ulong(number), 0, 0, 0))
    header = _CapabilityHeader(_CAPABILITY_VERSION_3, 0)
    sets = (ctypes.c_uint32 * 6)()  # effective, permitted and inheritable, first of capabilities 0 to 31, then of more
    _checked(_libc.capget(ctypes.byref(header), sets))
    for number in numbers:
        half = number // 32 * 3
        for place in range(half, half + 3):
            sets[place] &= ~(1 << number % 32)
    _checked(_libc.capset(ctypes.byref(header), sets))


def hide_from_others() -> None:
    """Let no other process look into this one, or at what its links in /proc lead to: prctl(PR_SET_DUMPABLE).

    No core is made of it either; all this until it runs another program.
    """
    _checked(_libc.prctl(_PR_SET_DUMPABLE, ctypes.c_ulong(0), 0, 0, 0))


def filter_calls(program: bytes) -> None:
    """Have *program*, an array of struct sock_filter, judge this process's system calls: prctl(PR_SET_SECCOMP)."""
    filtering = _FilterProgram(len(program) // 8, program)
    mode = ctypes.c_ulong(_SECCOMP_MODE_FILTER)
    _checked(_libc.prctl(_PR_SET_SECCOMP, mode, ctypes.byref(filtering), 0, 0))


def open_in_root(directory_fd: int, path: str, flags: int, mode: int = 0) -> int:
    """Open *path* as a process whose root is *directory_fd* would: openat2(2) with RESOLVE_IN_ROOT (Linux 5.6)."""
    how = _OpenHow(flags | os.O_CLOEXEC, mode, RESOLVE_IN_ROOT)
    size = ctypes.c_size_t(ctypes.sizeof(how))
    return _checked(
        _libc.syscall(ctypes.c_long(_SYS_OPENAT2), directory_fd, os.fsencode(path), ctypes.byref(how), size), path
    )
