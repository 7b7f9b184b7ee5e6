"""What a machine that is being checked reports of itself.

Owns the seed that asks for it, a medium with user data where cloud-init looks for them (NoCloud), the program that then
runs in the machine, and the reading of its line on the console. It must not judge what is reported.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from fuel_image.images import fat
from fuel_image.machine.qemu import SERIAL_CONSOLE, Drive

TOOLS = ("mkfs.vfat", "mcopy")
_MARK = "fuel-image reports:"
_LINE = re.compile(rf"{_MARK} ([0-9a-f]{{8}}) (\{{.*\}})")
_LABEL = "CIDATA"
_SERIAL = "F1E1-1A6E"
_SEED_BYTES = 64 << 20
_EPOCH = 1 << 30  # FAT knows no time before 1980
_PLACE = "/run/fuel-image-report"
# Python 3.5 runs it, too: xenial has that. It comes when cloud-init is done but is not of its service: as long as that
# is being started the system is not. Each line has its checksum and comes again: the kernel may say something amid it.
_PROGRAM = f"""\
import json, subprocess, time, zlib

def said(*command):
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, universal_newlines=True)
    return process.communicate()[0].strip()

def errors():
    try:
        with open("/run/cloud-init/result.json") as file:
            return [str(one)[:300] for one in json.load(file)["v1"]["errors"]][:5]
    except (OSError, ValueError, KeyError) as error:
        return ["it left no result: " + str(error)]

while said("systemctl", "is-system-running") in ("initializing", "starting"):
    time.sleep(1)
failed = said("systemctl", "list-units", "--failed", "--plain", "--no-legend", "--no-pager").splitlines()
report = json.dumps({{
    "state": said("systemctl", "is-system-running"),
    "failed": [word for line in failed for word in line.split()[:2] if "." in word][:20],
    "cloud_init": said("cloud-init", "status").partition("status:")[2].split("\\n")[0].strip(),
    "errors": errors(),
}})
while True:
    with open("/dev/{SERIAL_CONSOLE}", "w") as console:
        console.write("\\r\\n{_MARK} %08x %s\\r\\n" % (zlib.crc32(report.encode()), report))
    time.sleep(2)
"""


@dataclass(frozen=True)
class Report:
    """The *state* of the system as systemctl(1) says it, its *failed* units, and how cloud-init ended.

    *errors* are cloud-init's.
    """

    state: str
    failed: tuple[str, ...]
    cloud_init: str
    errors: tuple[str, ...]


def seed(directory: Path) -> Drive:
    """Make the medium, in *directory*. Raises CommandError."""
    top = directory / "seed"
    top.mkdir()
    (top / "meta-data").write_text("instance-id: fuel-image-boot\n", encoding="ascii")
    (top / "user-data").write_text(user_data(), encoding="ascii")
    file = directory / "seed.vfat"
    fat.make(file, top, size_bytes=_SEED_BYTES, label=_LABEL, serial=_SERIAL, epoch=_EPOCH)
    return Drive(file, "raw")


def user_data() -> str:
    """Return what cloud-init is asked to do."""
    asked = {
        # Where a locale is asked for, and Ubuntu's cloud-init asks for one unless told not to, it installs the package
        # locales if it lacks: this machine reaches no mirror, and what is to be checked is the image as it is.
        "locale": False,
        "write_files": [{"path": _PLACE, "content": _PROGRAM}],
        "runcmd": [["systemd-run", "--no-block", "--unit", Path(_PLACE).name, "python3", _PLACE]],
    }
    return f"#cloud-config\n{yaml.safe_dump(asked, sort_keys=False)}"


def parsed(line: str) -> Report | None:
    """Return the report that a line of the console holds, None if it holds none or not all of it."""
    match = _LINE.search(line)
    if match is None or zlib.crc32(match[2].encode()) != int(match[1], 16):
        return None
    try:
        found = json.loads(match[2])
        return Report(str(found["state"]), _texts(found["failed"]), str(found["cloud_init"]), _texts(found["errors"]))
    except (ValueError, KeyError, TypeError):  # of another's making
        return None


def _texts(values: Iterable[Any]) -> tuple[str, ...]:
    return tuple(str(one) for one in values)
