"""System calls that no program in the tree may make.

Owns the table of what a namespace does not hold and no capability guards: user namespaces, in which a program has all
capabilities again and reaches more of the kernel; the caller's keyrings; sockets to the hypervisor and to virtual
machines; typing into the caller's terminal. And the filter that seccomp(2) makes of it. 32-bit x86 programs may still
name a socket's family where no filter sees it (socketcall(2)).

It must import next to nothing: it starts for every command that runs in the tree.
"""

from __future__ import annotations

import errno
import struct
import sys

from fuel_image.host import kernel

_CLONE_NEWUSER = 0x10000000
_AF_VSOCK = 40
_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C

_REFUSED = (
    ("unshare", errno.EPERM, 0, "has", _CLONE_NEWUSER),
    ("clone", errno.EPERM, 0, "has", _CLONE_NEWUSER),
    ("clone3", errno.ENOSYS, None, "", 0),  # its flags are out of a filter's sight; C libraries then take clone
    ("add_key", errno.ENOSYS, None, "", 0),
    ("request_key", errno.ENOSYS, None, "", 0),
    ("keyctl", errno.ENOSYS, None, "", 0),
    ("bpf", errno.EPERM, None, "", 0),
    ("socket", errno.EAFNOSUPPORT, 0, "is", _AF_VSOCK),
    ("ioctl", errno.EPERM, 1, "is", _TIOCSTI),
    ("ioctl", errno.EPERM, 1, "is", _TIOCLINUX),
)
"""The call, its error, and the argument (by its number) that must have some bits or be some value for that."""

_NAMES = ("unshare", "clone", "clone3", "add_key", "request_key", "keyctl", "bpf", "socket", "ioctl")
_NUMBERS = {
    0xC000003E: (272, 56, 435, 248, 249, 250, 321, 41, 16),  # x86_64
    0x40000003: (310, 120, 435, 286, 287, 288, 357, 359, 54),  # i386
    0xC00000B7: (97, 220, 435, 217, 218, 219, 280, 198, 29),  # aarch64
    0x40000028: (337, 120, 435, 309, 310, 311, 386, 281, 54),  # arm
    0xC0000015: (282, 120, 435, 269, 270, 271, 361, 326, 54),  # ppc64le
    0x80000016: (303, 120, 435, 278, 279, 280, 351, 359, 54),  # s390x
    0xC00000F3: (97, 220, 435, 217, 218, 219, 280, 198, 29),  # riscv64
}
"""The numbers of these calls by architecture (AUDIT_ARCH of linux/audit.h)."""
_S390X = 0x80000016
_X32 = 0x40000000
"""x86_64 has each call a second time, with this bit."""

# linux/bpf_common.h, linux/seccomp.h
_LOAD, _AND, _IF_IS, _IF_HAS, _RETURN = 0x20, 0x54, 0x15, 0x45, 0x06
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_NUMBER_OFFSET, _ARCHITECTURE_OFFSET, _ARGUMENTS_OFFSET = 0, 4, 16


def refuse() -> None:
    """Let this process and all that come of it make these calls no more. Takes CAP_SYS_ADMIN."""
    kernel.filter_calls(program())


def program() -> bytes:
    """Return the filter: an array of struct sock_filter."""
    steps = [_step(_LOAD, _ARCHITECTURE_OFFSET)]
    for architecture, numbers in _NUMBERS.items():
        block = _block(architecture, dict(zip(_NAMES, numbers)))
        steps += [_step(_IF_IS, architecture, 0, len(block)), *block]
    return b"".join([*steps, _step(_RETURN, _ALLOW)])


def _block(architecture: int, numbers: dict[str, int]) -> list[bytes]:
    steps = [_step(_LOAD, _NUMBER_OFFSET), _step(_AND, 0xFFFFFFFF & ~_X32)]
    for name, error, argument, test, value in _REFUSED:
        verdict = [_step(_RETURN, _ERRNO | error)]
        if argument is not None:
            place = 1 - argument if (architecture, name) == (_S390X, "clone") else argument
            low_half = 0 if sys.byteorder == "little" else 4
            verdict = [
                _step(_LOAD, _ARGUMENTS_OFFSET + 8 * place + low_half),
                _step(_IF_HAS if test == "has" else _IF_IS, value, 0, 1),
                *verdict,
                _step(_LOAD, _NUMBER_OFFSET),
                _step(_AND, 0xFFFFFFFF & ~_X32),
            ]
        steps += [_step(_IF_IS, numbers[name], 0, len(verdict)), *verdict]
    return [*steps, _step(_RETURN, _ALLOW)]


def _step(code: int, value: int, then: int = 0, otherwise: int = 0) -> bytes:
    """Return one instruction; *then* and *otherwise* are how many of the next ones a jump leaves out."""
    return struct.pack("=HBBI", code, then, otherwise, value)
