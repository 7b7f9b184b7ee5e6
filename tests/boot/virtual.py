"""A virtual machine that somebody reaches by ssh, as in a cloud: a disk, a firmware, and a NoCloud seed."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.integration.images import output_of

USER = "somebody"
BOOT_SECONDS = 900
"""A boot takes a minute where nobody else needs the processor."""
_LOOK_AGAIN_SECONDS = 2
_OVMF = Path("/usr/share/OVMF")
_META_DATA = "instance-id: one\nlocal-hostname: a-node\n"
_USER_DATA = """\
#cloud-config
users:
- name: {user}
  sudo: ALL=(ALL) NOPASSWD:ALL
  shell: /bin/bash
  ssh_authorized_keys: [{key}]
"""


@dataclass(frozen=True)
class Machine:
    """A machine that runs; *console* is the file of what it says on its serial port."""

    port: int
    key: Path
    console: Path
    process: subprocess.Popen[bytes]

    def says(self, command: str) -> str:
        """Run a command in the machine, as root, as soon as somebody can log in, and return what it prints."""
        options = ("StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "ConnectTimeout=10", "BatchMode=yes")
        argv = ["ssh", "-q", "-i", str(self.key), "-p", str(self.port), *(f"-o{one}" for one in options)]
        argv += [f"{USER}@127.0.0.1", f"sudo sh -c '{command}'"]
        deadline = time.monotonic() + BOOT_SECONDS
        while True:
            ended = subprocess.run(argv, check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True)
            if ended.returncode != 255:  # which is ssh's own
                return ended.stdout
            assert time.monotonic() < deadline and self.process.poll() is None, self.console.read_text(errors="replace")
            time.sleep(_LOOK_AGAIN_SECONDS)


@contextmanager
def machine(disk: Path, size: str, uefi: bool, directory: Path) -> Iterator[Machine]:
    """Run a machine whose disk, of a larger *size*, starts as *disk* and is thrown away, with empty variables."""
    directory.mkdir()
    overlay, seed, key = directory / "overlay", directory / "seed", directory / "key"
    form = "qcow2" if disk.suffix == ".qcow2" else "raw"
    output_of("qemu-img", "create", "-q", "-f", "qcow2", "-b", disk, "-F", form, overlay, size)
    output_of("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key)
    _make_seed(seed, key.with_suffix(".pub").read_text().strip())
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    argv = ["qemu-system-x86_64", "-accel", "tcg", "-cpu", "max", "-m", "1536", "-smp", "2", "-display", "none"]
    argv += [
        "-serial",
        f"file:{directory}/console",
        "-no-reboot",
        "-nic",
        f"user,model=virtio-net-pci,hostfwd=tcp:127.0.0.1:{port}-:22",
    ]
    argv += ["-drive", f"file={overlay},format=qcow2,if=virtio", "-drive", f"file={seed},format=raw,if=virtio"]
    if uefi:
        shutil.copy(_OVMF / "OVMF_VARS_4M.fd", directory / "variables")
        argv += ["-machine", "q35", "-drive", f"if=pflash,format=raw,readonly=on,file={_OVMF}/OVMF_CODE_4M.fd"]
        argv += ["-drive", f"if=pflash,format=raw,file={directory}/variables"]
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as process:
        try:
            yield Machine(port, key, directory / "console", process)
        finally:
            process.kill()


def _make_seed(seed: Path, public_key: str) -> None:
    """Make the file system in which cloud-init's data source NoCloud looks for what it is to do."""
    output_of("mkfs.vfat", "-C", "-n", "CIDATA", seed, 1024)
    for name, text in (("meta-data", _META_DATA), ("user-data", _USER_DATA.format(user=USER, key=public_key))):
        subprocess.run(["mcopy", "-i", seed, "-", f"::/{name}"], input=text, text=True, check=True)
