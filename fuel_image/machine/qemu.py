"""What a machine is made of, as QEMU's arguments.

Owns the machine: its processor, drives, firmware, screen and network, which leads nowhere but answers DHCP. Nothing
that it writes to a drive reaches the drive's file (``snapshot=on``). It must not start it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fuel_image.machine.firmware import Firmware

PROGRAM = "qemu-system-x86_64"
TYPE = "q35"
ACCELERATORS = {"kvm": ("kvm", "host"), "tcg": ("tcg,thread=multi", "max")}
"""By their names: how QEMU is told of each, and the processor that goes with it."""
SERIAL_CONSOLE = "ttyS0"
"""What Linux calls the serial port of the machine."""
ATTENDED = ("-serial", "mon:stdio")
"""The console for the terminal that QEMU is started on; Ctrl-A X ends the machine, Ctrl-A H tells of more."""
_MEMORY_MIB = 2048


@dataclass(frozen=True)
class Drive:
    """A disk in a file, in one of QEMU's formats."""

    file: Path
    format: str


@dataclass(frozen=True)
class Kernel:
    """What is started without a boot loader."""

    file: Path
    initrd: Path
    parameters: str


@dataclass(frozen=True)
class Machine:
    """A machine; without *firmware* it starts as a PC's BIOS does. *reboots* tells whether it may start again."""

    accelerator: str
    cpus: int
    drives: tuple[Drive, ...]
    firmware: Firmware | None = None
    kernel: Kernel | None = None
    reboots: bool = False


def watched(console: str, monitor: str) -> tuple[str, ...]:
    """Return the arguments for a console and a monitor on sockets at these paths.

    QEMU waits for who uses the first, and the machine for the monitor to let it go: it may end in a moment.
    """
    return (
        "-S",
        "-chardev", f"socket,id=console,path={escaped(console)},server=on,wait=on",
        "-serial", "chardev:console",
        "-chardev", f"socket,id=monitor,path={escaped(monitor)},server=on,wait=off",
        "-mon", "chardev=monitor,mode=control",
    )  # fmt: skip


def arguments(machine: Machine) -> tuple[str, ...]:
    """Return the arguments of the emulator, but those for the console."""
    return tuple(_arguments(machine))


def escaped(value: str | Path) -> str:
    """Return a value as it stands in an option with several parts, between commas."""
    return os.fspath(value).replace(",", ",,")


def _arguments(machine: Machine) -> Iterator[str]:
    accelerator, processor = ACCELERATORS[machine.accelerator]
    yield from ("-no-user-config", "-nodefaults", "-machine", TYPE)
    yield from ("-accel", accelerator, "-cpu", processor)
    yield from ("-smp", str(machine.cpus), "-m", str(_MEMORY_MIB))
    yield from ("-vga", "std", "-display", "none")
    yield from ("-device", "virtio-rng-pci")
    yield from ("-nic", "user,model=virtio-net-pci,restrict=on")
    if not machine.reboots:
        yield "-no-reboot"
    if machine.firmware is not None:
        yield from ("-drive", f"if=pflash,format=raw,readonly=on,file={escaped(machine.firmware.code)}")
        yield from ("-drive", f"if=pflash,format=raw,file={escaped(machine.firmware.variables)}")
    for number, drive in enumerate(machine.drives):
        place = f"if=none,id=drive{number},snapshot=on,format={drive.format},file={escaped(drive.file)}"
        # UEFI starts from what has a bootindex only: else it would wait for a server to start it over the network.
        first = number == 0 and machine.kernel is None  # which would have the same
        yield from ("-drive", place, "-device", f"virtio-blk-pci,drive=drive{number}{',bootindex=0' if first else ''}")
    if machine.kernel is not None:
        yield from ("-kernel", os.fspath(machine.kernel.file), "-initrd", os.fspath(machine.kernel.initrd))
        yield from ("-append", machine.kernel.parameters)
