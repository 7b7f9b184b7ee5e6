"""The partition images of an Ubuntu build, put on a disk, become a machine."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pexpect
import pytest

from tests.integration.images import ImageSet

pytestmark = pytest.mark.boot

SECTOR_BYTES = 512
MIB = 1 << 20
BOOT_SECONDS = 300
PROMPT = "root@.*# "


def disk_of(image_set: ImageSet, workspace: Path) -> Path:
    """Do what a node's agent does: partitions, each with its image, the file systems grown to fill them."""
    disk = workspace / "disk"
    places = {"/boot": (1, 512), "/": (513, 4096)}
    with disk.open("wb") as file:
        file.truncate(4700 * MIB)
    table = "label: gpt\n" + "".join(f"start={start}MiB, size={size}MiB\n" for start, size in places.values())
    subprocess.run(["sfdisk", "--quiet", disk], input=table, text=True, check=True)
    for mount, (start, size) in places.items():
        raw = image_set.unpack(mount, workspace / "raw")
        with raw.open("r+b") as file:
            file.truncate(size * MIB)
        assert subprocess.run(["e2fsck", "-fy", raw], check=False, stdout=subprocess.DEVNULL).returncode == 0
        subprocess.run(["resize2fs", raw], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        subprocess.run(
            ["dd", f"if={raw}", f"of={disk}", "bs=1M", f"seek={start}", "conv=notrunc,sparse", "status=none"],
            check=True,
        )
        raw.unlink()
    return disk


def said(machine: pexpect.spawn[str], command: str, pattern: str) -> tuple[str, ...]:
    """Type a command and return the groups of *pattern* in what it prints."""
    machine.sendline(f"{command}; echo end=$?")
    machine.expect(rf"\r\s*{pattern}\s+end=\d")
    match = machine.match
    assert isinstance(match, re.Match)
    return tuple(str(group) for group in match.groups())


def test_a_login_prompt_and_nothing_degraded(noble: ImageSet, tmp_path: Path) -> None:
    with noble.mounted("/boot", tmp_path) as boot:
        kernel, initrd = (next(boot.glob(f"{name}-*")) for name in ("vmlinuz", "initrd.img"))
        for source, name in ((kernel, "kernel"), (initrd, "initrd")):
            (tmp_path / name).write_bytes(source.read_bytes())
    disk = disk_of(noble, tmp_path)
    argv = ["-accel", "tcg", "-cpu", "max", "-m", "1536", "-smp", "2", "-nographic", "-no-reboot", "-nic", "none"]
    argv += ["-drive", f"file={disk},format=raw,if=virtio,snapshot=on"]
    argv += ["-kernel", str(tmp_path / "kernel"), "-initrd", str(tmp_path / "initrd")]
    argv += ["-append", "root=/dev/vda2 rw console=ttyS0 systemd.mask=systemd-networkd-wait-online.service"]
    with (tmp_path / "console").open("w") as log:
        machine = pexpect.spawn(
            "qemu-system-x86_64", argv, timeout=BOOT_SECONDS, encoding="utf-8", codec_errors="replace", logfile=log
        )
        try:
            machine.expect("login: ")
            machine.sendline("root")
            machine.expect("Password: ")
            machine.sendline("r00tme")
            machine.expect(PROMPT)
            (state,) = said(machine, "systemctl is-system-running --wait", r"(\w+)")
            failed = said(machine, "systemctl --failed --no-legend --plain | tr '\\n' ' '", r"(.*?)")
            host_keys, machine_id, root_size = said(
                machine,
                "ls /etc/ssh/*_key | wc -l; wc -c < /etc/machine-id; findmnt -no SIZE /",
                r"(\d+)\s+(\d+)\s+([\d.]+)G",
            )
            (answered,) = said(machine, "ssh-keyscan -T 120 127.0.0.1 2>/dev/null | grep -c ssh-", r"(\d+)")
        finally:
            machine.close(force=True)
    assert state == "running", failed
    assert int(host_keys) >= 3
    assert int(answered) >= 1
    assert int(machine_id) == 33
    assert float(root_size) > 3.5
