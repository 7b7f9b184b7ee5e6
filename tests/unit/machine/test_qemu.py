"""What the emulator is told."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from fuel_image.machine import firmware, qemu
from fuel_image.machine.qemu import Drive, Kernel, Machine

DISK = Drive(Path("/srv/noble.qcow2"), "qcow2")
PLAIN = Machine("tcg", 2, (DISK,))


def options(arguments: tuple[str, ...], name: str) -> list[str]:
    """Return the values of every option *name*."""
    return [value for option, value in zip(arguments, arguments[1:]) if option == name]


def test_what_a_machine_writes_reaches_no_file_of_a_drive() -> None:
    seed = Drive(Path("/srv/machine/seed"), "raw")
    assert options(qemu.arguments(dataclasses.replace(PLAIN, drives=(DISK, seed))), "-drive") == [
        "if=none,id=drive0,snapshot=on,format=qcow2,file=/srv/noble.qcow2",
        "if=none,id=drive1,snapshot=on,format=raw,file=/srv/machine/seed",
    ]


def test_a_machine_starts_from_its_first_drive_only() -> None:
    seed = Drive(Path("/srv/machine/seed"), "raw")
    devices = options(qemu.arguments(dataclasses.replace(PLAIN, drives=(DISK, seed))), "-device")
    assert devices[-2:] == ["virtio-blk-pci,drive=drive0,bootindex=0", "virtio-blk-pci,drive=drive1"]


def test_a_name_is_not_taken_for_options() -> None:
    odd = Drive(Path("/srv/a,snapshot=off"), "raw")
    (drive,) = options(qemu.arguments(dataclasses.replace(PLAIN, drives=(odd,))), "-drive")
    assert drive == "if=none,id=drive0,snapshot=on,format=raw,file=/srv/a,,snapshot=off"
    assert "path=/a,,b/console," in qemu.watched("/a,b/console", "/m")[2]


def test_each_accelerator_has_its_processor() -> None:
    for name, expected in (("tcg", ("tcg,thread=multi", "max")), ("kvm", ("kvm", "host"))):
        arguments = qemu.arguments(dataclasses.replace(PLAIN, accelerator=name))
        assert (*options(arguments, "-accel"), *options(arguments, "-cpu")) == expected


def test_the_network_leads_nowhere() -> None:
    assert options(qemu.arguments(PLAIN), "-nic") == ["user,model=virtio-net-pci,restrict=on"]


def test_a_machine_that_is_checked_starts_once() -> None:
    assert "-no-reboot" in qemu.arguments(PLAIN)
    assert "-no-reboot" not in qemu.arguments(dataclasses.replace(PLAIN, reboots=True))


def test_uefi_has_variables_to_write_to() -> None:
    own = firmware.Firmware(Path("/f/code"), Path("/srv/machine/variables"))
    arguments = qemu.arguments(dataclasses.replace(PLAIN, firmware=own))
    assert options(arguments, "-drive")[:2] == [
        "if=pflash,format=raw,readonly=on,file=/f/code",
        "if=pflash,format=raw,file=/srv/machine/variables",
    ]
    assert not any("pflash" in one for one in qemu.arguments(PLAIN))


def test_a_kernel_is_started_without_a_boot_loader() -> None:
    kernel = Kernel(Path("/srv/machine/kernel"), Path("/srv/machine/initrd"), "root=UUID=1 rw")
    arguments = qemu.arguments(dataclasses.replace(PLAIN, kernel=kernel))
    assert not any("bootindex" in one for one in arguments)
    assert [options(arguments, name) for name in ("-kernel", "-initrd", "-append")] == [
        ["/srv/machine/kernel"],
        ["/srv/machine/initrd"],
        ["root=UUID=1 rw"],
    ]
