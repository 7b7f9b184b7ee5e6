"""Disks that a tree is told of."""

from __future__ import annotations

from fuel_image.tree.machine_disk import MachineDisk, MachinePartition

ROOT, BOOT, ESP, SWAP = "0f0e-root", "0f0e-boot", "ABCD-1234", "0f0e-swap"


def plain(*, table: str = "gpt", firmwares: tuple[str, ...] = ("bios", "uefi"), grow: bool = True) -> MachineDisk:
    """Return the disk of a request that names no partitions."""
    esp = MachinePartition(1, "vfat", ESP, "/boot/efi", grow=False)
    return MachineDisk(table, firmwares, (esp, MachinePartition(2, "ext4", ROOT, "/", grow)))


def divided(kind: str = "xfs", *, table: str = "gpt") -> MachineDisk:
    """Return a disk with a /boot of its own, and a root of a *kind*."""
    return MachineDisk(
        table,
        ("bios", "uefi"),
        (
            MachinePartition(1, "vfat", ESP, "/boot/efi", grow=False),
            MachinePartition(2, "ext2", BOOT, "/boot", grow=False),
            MachinePartition(3, kind, ROOT, "/", grow=True),
            MachinePartition(4, "swap", SWAP, None, grow=False),
        ),
    )
