"""``fuel-image boot`` on real sets: one that is well, and one with a unit that fails."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.integration.conftest import PROGRAM, Fuel, metadata_of, sample
from tests.integration.images import ImageSet
from tests.integration.test_boot import colours, emulators

pytestmark = pytest.mark.boot

PATIENCE_SECONDS = 1200
TIMEOUT = ("--timeout", "900")
PACKAGES = ["linux-image-virtual", "initramfs-tools", "systemd-sysv", "udev", "dbus", "login", "cloud-init"]


def built(fuel: Fuel, workspace: Path, **changes: Any) -> ImageSet:
    """Build a set of what it takes to boot and to be asked, and no more: an emulated machine is slow."""
    request = sample("noble", workspace / "output", packages=PACKAGES, **changes)
    (workspace / "output").mkdir()
    fuel(request)
    return ImageSet(metadata_of(request))


def checked(metadata: Path, workspace: Path, *options: str) -> subprocess.CompletedProcess[str]:
    argv = [*PROGRAM, "boot", "--check", *TIMEOUT, "--work-dir", str(workspace / "work"), *options, str(metadata)]
    ended = subprocess.run(
        argv, check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE_SECONDS
    )
    assert list((workspace / "work").iterdir()) == []
    assert emulators(workspace) == []
    return ended


def sums(image_set: ImageSet) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(image_set.path.parent.iterdir())
    }


def test_a_set_that_is_well(fuel: Fuel, tmp_path: Path) -> None:
    well = built(fuel, tmp_path)
    before = sums(well)
    ended = checked(well.path, tmp_path, "--screenshot", str(tmp_path / "screen.png"))
    assert ended.returncode == 0, ended.stderr
    assert "login: " in ended.stdout
    assert "it came to a login prompt; cloud-init is done; no unit failed" in ended.stdout.splitlines()[-1]
    assert "DataSourceNoCloud" in ended.stdout
    assert colours(tmp_path / "screen.png") > 1
    assert sums(well) == before


def test_a_unit_that_fails_is_named(fuel: Fuel, tmp_path: Path) -> None:
    unit = "[Unit]\nDescription=Breaks\n[Service]\nExecStart=/bin/false\n[Install]\nWantedBy=multi-user.target\n"
    changes = {"files": [{"path": "/etc/systemd/system/breaks.service", "content": unit}]}
    breaks = built(fuel, tmp_path, services={"enable": ["breaks"]}, **changes)
    ended = checked(breaks.path, tmp_path)
    assert ended.returncode == 1, ended.stderr
    assert "units failed: breaks.service\n" in ended.stderr
