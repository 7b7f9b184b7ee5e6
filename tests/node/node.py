"""A node's side of a deployment: fuel-agent's own code, on the devices that it is given.

Run by the Python of an environment that has fuel-agent, in a mount namespace of its own. Reads from standard input what
Nailgun would send and which devices there are, takes the named steps of fuel-agent's manager, and writes to standard
output what came of it, both as JSON. Its log goes to standard error.
"""

from __future__ import annotations

import functools
import json
import logging
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml
from fuel_agent import manager, objects
from fuel_agent.drivers import nailgun
from fuel_agent.utils import utils
from oslo_config import cfg
from oslo_log import log


class Driver(nailgun.Nailgun):  # type: ignore[misc]  # it comes without types
    """fuel-agent's own, but for the disks, which it would look for among this machine's."""

    def __init__(self, data: dict[str, Any], partition_scheme: objects.PartitionScheme) -> None:
        self.data = data
        self._image_meta = self.parse_image_meta()
        self._operating_system = self.parse_operating_system()
        self._grub = self.parse_grub()
        self._partition_scheme = partition_scheme
        self._configdrive_scheme = self.parse_configdrive_scheme()
        self._image_scheme = self.parse_image_scheme()


def adapt() -> None:
    """Let code of 2016 run with today's PyYAML and Python.

    Without the first it takes a TypeError for missing metadata and checks nothing. Without the second it writes what it
    learns from commands as b'...' into the node's fstab.
    """
    yaml.load = functools.partial(yaml.load, Loader=yaml.SafeLoader)
    execute = utils.execute
    utils.execute = lambda *command, **options: tuple(output.decode() for output in execute(*command, **options))


def shield_the_host() -> None:
    """Lay overlays over what it writes to besides its devices.

    Its chroot is /tmp/target, and it makes a directory in the host's /etc that it means to be in the chroot's.
    """
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/mnt"], check=True)
    for name in ("etc", "tmp"):
        for layer in ("upper", "work"):
            Path("/mnt", name, layer).mkdir(parents=True)
        layers = f"lowerdir=/{name},upperdir=/mnt/{name}/upper,workdir=/mnt/{name}/work"
        subprocess.run(["mount", "-t", "overlay", "-o", layers, "overlay", f"/{name}"], check=True)


def partition_scheme(disk: str, file_systems: list[dict[str, str]]) -> objects.PartitionScheme:
    scheme = objects.PartitionScheme()
    scheme.add_parted(name=disk, label="gpt").install_bootloader = True
    for file_system in file_systems:
        scheme.add_fs(**file_system)
    return scheme


def main(steps: list[str]) -> None:
    given = json.load(sys.stdin)
    shield_the_host()
    adapt()
    log.register_options(cfg.CONF)
    cfg.CONF(["--debug"], project="fuel-agent", default_config_files=[])
    cfg.CONF.set_override("use_stderr", True)
    cfg.CONF.set_override("use_uuid_root", True)  # GRUB finds no /dev/disk/by-uuid where udev does not run
    log.setup(cfg.CONF, "fuel-agent")
    logging.getLogger("fuel_agent.utils.artifact").setLevel(logging.INFO)  # or it says a line for each MiB
    outcome: dict[str, Any] = {"images": [], "error": None}
    try:
        agent = manager.Manager.__new__(manager.Manager)
        agent.driver = Driver(given["data"], partition_scheme(given["disk"], given["file_systems"]))
        outcome["images"] = [
            {"uri": one.uri, "size": one.size, "md5": one.md5} for one in agent.driver.image_scheme.images
        ]
        for step in steps:
            getattr(agent, step)()
    except Exception as error:  # noqa: BLE001  # whatever it raises is what a test wants to see
        outcome["error"] = {"type": type(error).__name__, "text": str(error)}
    json.dump(outcome, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1:])
