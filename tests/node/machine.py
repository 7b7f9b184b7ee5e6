"""A machine that is to be provisioned: a disk on a loop device, and fuel-agent to fill it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.integration.images import ImageSet, output_of

NODE = Path(__file__).with_name("node.py")
KERNEL_PARAMETERS = "console=tty0 console=ttyS0 systemd.show_status=1"
MAC = "08:00:27:79:da:80"
BIOS_BOOT = "21686148-6449-6E6F-744E-656564454649"
"""The type of the partition that GRUB embeds itself in."""
SIZES_MIB = {"/boot": 512, "/": 8192, "/var/log": 256}
"""Each more than what any image here has."""


@dataclass(frozen=True)
class Outcome:
    """What fuel-agent knew of the images, how it ended, and its log."""

    images: list[dict[str, Any]]
    error: dict[str, str] | None
    log: str


@dataclass(frozen=True)
class Machine:
    """A disk, as a file and as a device, and its partitions by mount point."""

    python: Path
    file: Path
    disk: str
    partitions: dict[str, str]

    def run(self, images: Mapping[str, Mapping[str, str]], *steps: str) -> Outcome:
        """Let fuel-agent take *steps* with *images*, in namespaces that end with it."""
        formats = {mount: image["format"] for mount, image in images.items()}
        given = {
            "data": nailgun_data(images),
            "disk": self.disk,
            "file_systems": [
                {"mount": mount, "device": device, "fs_type": formats.get(mount, "ext4")}
                for mount, device in self.partitions.items()
            ],
        }
        namespaces = ["unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child"]
        argv = [*namespaces, str(self.python), str(NODE), *steps]
        ended = subprocess.run(argv, input=json.dumps(given), check=False, capture_output=True, text=True)
        assert ended.returncode == 0, ended.stderr
        return Outcome(**json.loads(ended.stdout), log=ended.stderr)


@contextmanager
def machine(python: Path, file: Path) -> Iterator[Machine]:
    """Partition a disk as fuel-agent would, and attach it."""
    with file.open("wb") as disk:
        disk.truncate((sum(SIZES_MIB.values()) + 32) << 20)
    table = f"label: gpt\nsize=24MiB, type={BIOS_BOOT}\n" + "".join(f"size={size}MiB\n" for size in SIZES_MIB.values())
    subprocess.run(["sfdisk", "--quiet", file], input=table, text=True, check=True)
    with ExitStack() as stack:
        device = output_of("losetup", "--find", "--show", file).strip()
        stack.callback(output_of, "losetup", "--detach", device)
        # Not every kernel scans a loop device for partitions by itself.
        output_of("partx", "--add", device)
        stack.callback(output_of, "partx", "--delete", device)
        yield Machine(python, file, device, {mount: f"{device}p{n}" for n, mount in enumerate(SIZES_MIB, start=2)})
    file.unlink()


@contextmanager
def mounted_together(sources: Mapping[str, str | Path], point: Path) -> Iterator[Path]:
    """Mount raw images or devices, each at its place in one tree; fuel-agent removes the places and makes them anew."""
    with ExitStack() as stack:
        for mount in sorted(sources):
            place = point / mount[1:]
            place.mkdir(parents=True, exist_ok=True)
            output_of("mount", sources[mount], place)
            stack.callback(output_of, "umount", place)
        yield point
    point.rmdir()


def nailgun_data(images: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    """Return what Nailgun sends to a node, as far as fuel-agent reads it."""
    settings = ("puppet_master", "mco_pskey", "mco_vhost", "mco_host", "mco_user", "mco_password", "mco_connector")
    return {
        "profile": "ubuntu_1404_x86_64",
        "hostname": "node-1.example.org",
        "name_servers": "10.20.0.2",
        "name_servers_search": "example.org",
        "interfaces": {"eth0": {"mac_address": MAC, "ip_address": "10.20.0.3", "netmask": "255.255.255.0"}},
        "kernel_options": {"netcfg/choose_interface": MAC, "udevrules": f"{MAC}_eth0"},
        "ks_meta": {
            **dict.fromkeys(settings, ""),
            **dict.fromkeys(("puppet_enable", "mco_enable", "mco_identity"), 0),
            "image_data": images,
            "pm_data": {"kernel_params": KERNEL_PARAMETERS},
            "authorized_keys": [],
            "auth_key": "",
            "master_ip": "10.20.0.2",
            "gw": "10.20.0.1",
            "repo_setup": {"repos": []},
        },
    }


def as_served(image_set: ImageSet, url: str) -> dict[str, dict[str, str]]:
    """Return a set's images as a request names them, from below *url*."""
    return {
        image["mount"]: {
            "uri": f"{url}/{image['container_name']}",
            **{key: image[key] for key in ("format", "container")},
        }
        for image in image_set.record["images"]
    }
