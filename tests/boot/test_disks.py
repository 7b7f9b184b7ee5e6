"""A whole disk becomes a machine on a BIOS and on UEFI, on a larger disk than it was made for."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.integration.conftest import Fuel, sample

from .virtual import USER, machine

pytestmark = pytest.mark.boot

KERNELS = {"Debian": "linux-image-cloud-amd64", "Ubuntu": "linux-image-virtual"}
PACKAGES = ["initramfs-tools", "systemd-sysv", "udev", "dbus", "sudo", "openssh-server", "cloud-init", "netplan.io"]
PARTITIONS = [
    {"mount": "/boot/efi", "format": "vfat", "size": "64MiB"},
    {"mount": "/boot", "format": "ext4", "size": "512MiB"},
    {"mount": "/", "format": "ext4", "size": "rest", "grow": True},
    {"format": "swap", "size": "256MiB"},
]
ASK = """
cloud-init status --wait >/dev/null; systemctl is-system-running --wait; systemctl --failed --no-legend --plain
echo; findmnt -bnro SIZE /; swapon --noheadings --show=NAME | wc -l; ls -d /sys/firmware/efi; ls /etc/ssh/*_key | wc -l
hostname; grep -c console=ttyS0 /proc/cmdline; tail -c +1 /etc/machine-id
""".replace("\n", "; ").strip("; ")


def asked_of(disk: Path, uefi: bool, directory: Path) -> list[str]:
    with machine(disk, "8G", uefi, directory) as one:
        return one.says(ASK).split("\n")


@pytest.mark.parametrize("suite", [None, "noble", "jammy"], ids=lambda suite: suite or "host")
def test_bios_and_uefi(suite: str | None, fuel: Fuel, tmp_path: Path) -> None:
    output = tmp_path / "output"
    request = sample(suite, output)
    del request["image_data"]
    request["packages"] = [KERNELS["Ubuntu" if suite else "Debian"], *PACKAGES]
    disk = {"uri": "http://10.20.0.2/node.qcow2", "format": "qcow2"}
    request["disks"] = [disk if suite is None else {**disk, "size": "4GiB", "partitions": PARTITIONS}]
    fuel(request)
    image = output / "node.qcow2"
    before = hashlib.sha256(image.read_bytes()).hexdigest()
    with ThreadPoolExecutor(2) as both:
        bios, uefi = both.map(lambda uefi: asked_of(image, uefi, tmp_path / f"uefi-{uefi}"), (False, True))
    for found, firmware in ((bios, ""), (uefi, "/sys/firmware/efi")):
        state, failed, size, swaps, directory, *rest = found if firmware else [*found[:4], "", *found[4:]]
        assert (state, failed) == ("running", ""), found
        assert int(size) > 6 << 30, "it has grown"
        assert swaps == str(int(suite is not None))
        assert directory == firmware
        keys, name, console, machine_id = rest[:4]
        assert int(keys) >= 3 and name == "a-node" and console == "1" and len(machine_id) == 32
    assert bios[-2] != uefi[-2], "no two machines are the same"
    assert hashlib.sha256(image.read_bytes()).hexdigest() == before
    assert USER not in image.parent.joinpath("node.yaml").read_text()
