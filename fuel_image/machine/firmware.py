"""The firmware of a machine that starts as UEFI says.

Owns the table of where distributions have it. A machine gets a copy of its own of the variables, which are those of a
machine that never ran: an empty NVRAM. It must not start anything.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from fuel_image.errors import HostError

PACKAGE = "ovmf (Debian) or edk2-ovmf (EL)"


@dataclass(frozen=True)
class Firmware:
    """The program of the firmware, and its variables, which it writes to."""

    code: Path
    variables: Path


_FIRMWARES = tuple(
    Firmware(Path(directory, f"OVMF_CODE{form}.fd"), Path(directory, f"OVMF_VARS{form}.fd"))
    for directory, form in (
        ("/usr/share/OVMF", "_4M"),  # Debian and Ubuntu
        ("/usr/share/OVMF", ""),  # Debian 11 and Ubuntu 20.04
        ("/usr/share/edk2/ovmf", ""),  # Fedora and EL
    )
)


def found() -> Firmware | None:
    """Return the firmware that this host has, or None."""
    return next((one for one in _FIRMWARES if one.code.exists() and one.variables.exists()), None)


def copied(directory: Path) -> Firmware:
    """Return the firmware with variables that may be written to, in *directory*. Raises HostError."""
    firmware = found()
    if firmware is None:
        raise HostError("this host has no UEFI firmware for machines", advice=f"install {PACKAGE}")
    own = directory / "variables"
    shutil.copyfile(firmware.variables, own)
    return Firmware(firmware.code, own)
