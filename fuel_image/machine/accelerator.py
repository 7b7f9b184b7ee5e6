"""Whether a machine may use the host's processor.

Owns the probe of KVM: that /dev/kvm is there tells little. In a machine that is one itself a guest may stand still, or
be interpreted a thousand times slower than QEMU would. So a guest is run that counts, and it must be done in a moment.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path

from fuel_image.errors import CommandError
from fuel_image.host.command import run
from fuel_image.machine.qemu import ACCELERATORS, PROGRAM, TYPE, escaped

LOG = logging.getLogger(__name__)

_KVM = "/dev/kvm"
_SECONDS = 3.0
"""An able processor takes some tenths of one, most of them for the firmware."""
_DONE = 0x10
_EXIT_CODE = _DONE << 1 | 1
"""What QEMU makes of it (hw/misc/debugexit.c)."""
_SECTOR_BYTES = 512
_DISK_BYTES = 1 << 20
"""What is smaller the firmware does not start from."""
_CODE = bytes.fromhex(
    "fa"  # cli
    "31c0"  # xor ax, ax
    "8ed8"  # mov ds, ax
    "0f0116387c"  # lgdt [0x7c38]
    "0f20c0"  # mov eax, cr0
    "0c01"  # or al, 1
    "0f22c0"  # mov cr0, eax
    "ea177c0800"  # jmp 8:0x7c17, from here on in 32 bits
    "b900000004"  # mov ecx, 1 << 26
    "49"  # dec ecx
    "75fd"  # jnz to that
    f"b0{_DONE:02x}"  # mov al, _DONE
    "e6f4"  # out 0xf4, al
    "f4"  # hlt
    "ebfd"  # jmp to that
    "0000"
    "0000000000000000ffff0000009acf00"  # at 0x7c28, the descriptors: none, and code that is all of memory
    "0f00287c0000"  # at 0x7c38, where they are
)


def chosen(directory: Path) -> str:
    """Return the name of the best of ACCELERATORS that works here; *directory* is for a file."""
    if not os.access(_KVM, os.R_OK | os.W_OK):
        LOG.debug("%s is not there for us", _KVM)
        return "tcg"
    return "kvm" if _works("kvm", directory) else "tcg"


def _works(name: str, directory: Path) -> bool:
    """Tell whether a guest runs to its end in time."""
    accelerator, processor = ACCELERATORS[name]
    disk = directory / "probe"
    disk.write_bytes(boot_sector().ljust(_DISK_BYTES, b"\0"))
    arguments = [
        "-no-user-config", "-nodefaults", "-display", "none", "-machine", TYPE,
        "-accel", accelerator, "-cpu", processor,
        "-device", "isa-debug-exit,iobase=0xf4,iosize=4",
        "-drive", f"if=virtio,format=raw,readonly=on,file={escaped(disk)}",
    ]  # fmt: skip
    try:
        run(PROGRAM, *arguments, doing=f"trying {name}", timeout_seconds=_SECONDS, accept=(_EXIT_CODE,))
    except CommandError as error:
        LOG.info("machines are emulated, since %s does not work here", name.upper())
        LOG.debug("%s", error)
        return False
    return True


def boot_sector() -> bytes:
    """Return the guest: it counts in 32 bits, as operating systems run, and ends QEMU."""
    return _CODE.ljust(_SECTOR_BYTES - 2, b"\0") + b"\x55\xaa"
