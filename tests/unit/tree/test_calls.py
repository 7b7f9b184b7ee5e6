"""The filter of system calls, run by a machine of our own on every architecture."""

from __future__ import annotations

import errno
import struct
from collections.abc import Sequence

import pytest

from fuel_image.tree import calls

ALLOWED = 0x7FFF0000
X86_64, I386, AARCH64, S390X = 0xC000003E, 0x40000003, 0xC00000B7, 0x80000016
NEW_USER, SIGCHLD = 0x10000000, 17


def verdict(architecture: int, number: int, *arguments: int) -> int:
    """Return what the filter says of a call: struct seccomp_data of linux/seccomp.h, classic BPF."""
    data = struct.pack("=iIQ6Q", number, architecture, 0, *arguments, *[0] * (6 - len(arguments)))
    program = calls.program()
    steps = [struct.unpack_from("=HBBI", program, place) for place in range(0, len(program), 8)]
    place = accumulator = 0
    while True:
        code, then, otherwise, value = steps[place]
        place += 1
        if code == 0x06:
            return int(value)
        if code == 0x20:
            accumulator = struct.unpack_from("=I", data, value)[0]
        elif code == 0x54:
            accumulator &= value
        else:
            met = accumulator == value if code == 0x15 else accumulator & value != 0
            place += then if met else otherwise


def refused(error: int) -> int:
    return 0x00050000 | error


@pytest.mark.parametrize(
    ("call", "error"),
    [
        ((X86_64, 272, NEW_USER), errno.EPERM),
        ((X86_64, 56, NEW_USER | SIGCHLD), errno.EPERM),
        ((X86_64, 0x40000000 | 272, NEW_USER), errno.EPERM),
        ((X86_64, 435), errno.ENOSYS),
        ((X86_64, 250, 6), errno.ENOSYS),
        ((X86_64, 321), errno.EPERM),
        ((X86_64, 41, 40, 1), errno.EAFNOSUPPORT),
        ((X86_64, 16, 0, 0x5412), errno.EPERM),
        ((X86_64, 16, 0, 0x541C), errno.EPERM),
        ((I386, 310, NEW_USER), errno.EPERM),
        ((AARCH64, 220, NEW_USER), errno.EPERM),
        ((S390X, 120, 0x1000, NEW_USER), errno.EPERM),
    ],
)
def test_what_is_refused(call: Sequence[int], error: int) -> None:
    assert verdict(*call) == refused(error)


@pytest.mark.parametrize(
    "call",
    [
        (X86_64, 272, 0x20000),
        (X86_64, 56, SIGCHLD),
        (X86_64, 41, 1, 1),
        (X86_64, 16, 0, 0x5413),
        (X86_64, 0),
        (AARCH64, 56, NEW_USER),  # openat there
        (S390X, 120, NEW_USER, SIGCHLD),
        (0x12345678, 272, NEW_USER),
    ],
)
def test_what_is_not(call: Sequence[int]) -> None:
    assert verdict(*call) == ALLOWED
