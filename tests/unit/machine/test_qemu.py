"""The machine, as QEMU is told of it."""

from __future__ import annotations

from pathlib import Path

from fuel_image.machine import qemu
from fuel_image.machine.firmware import Firmware
from fuel_image.machine.qemu import Drive, Kernel, Machine

DISK = Drive(Path("/work/a,b.qcow2"), "qcow2")
MACHINE = Machine("tcg", 2, (DISK, Drive(Path("/work/seed"), "raw")))


def given(machine: Machine, option: str) -> list[str]:
    argv = qemu.arguments(machine)
    return [argv[place + 1] for place, one in enumerate(argv) if one == option]


def test_every_drive_is_a_snapshot() -> None:
    assert given(MACHINE, "-drive") == [
        "if=virtio,snapshot=on,format=qcow2,file=/work/a,,b.qcow2",
        "if=virtio,snapshot=on,format=raw,file=/work/seed",
    ]


def test_the_firmware_is_read_only_but_its_variables() -> None:
    machine = Machine("tcg", 2, (DISK,), firmware=Firmware(Path("/code"), Path("/own")))
    assert given(machine, "-drive")[:2] == [
        "if=pflash,format=raw,readonly=on,file=/code",
        "if=pflash,format=raw,file=/own",
    ]


def test_the_processor_goes_with_the_accelerator() -> None:
    assert (given(MACHINE, "-accel"), given(MACHINE, "-cpu")) == (["tcg,thread=multi"], ["max"])
    machine = Machine("kvm", 2, (DISK,))
    assert (given(machine, "-accel"), given(machine, "-cpu")) == (["kvm"], ["host"])


def test_the_network_leads_nowhere_and_nothing_leads_in() -> None:
    (network,) = given(MACHINE, "-nic")
    assert "restrict=on" in network.split(",")
    assert "hostfwd" not in network


def test_it_starts_again_only_if_it_may() -> None:
    assert "-no-reboot" in qemu.arguments(MACHINE)
    assert "-no-reboot" not in qemu.arguments(Machine("tcg", 2, (DISK,), reboots=True))


def test_a_kernel_without_a_boot_loader() -> None:
    machine = Machine("tcg", 2, (DISK,), kernel=Kernel(Path("/k"), Path("/i"), "root=UUID=1 rw"))
    assert given(machine, "-kernel") + given(machine, "-initrd") + given(machine, "-append") == [
        "/k",
        "/i",
        "root=UUID=1 rw",
    ]
    assert "-kernel" not in qemu.arguments(MACHINE)
