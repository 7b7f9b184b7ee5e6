"""Every release that is promised becomes an image."""

from __future__ import annotations

from pathlib import Path

import pytest
import requests

from fuel_image.suites import SUITES

from .conftest import Fuel, metadata_of, sample
from .images import ImageSet

UBUNTU = ["xenial", "bionic", "focal", "jammy", "resolute"]  # noble is built by the other tests
DEBIAN = ["bullseye", "trixie", "sid"]


@pytest.mark.parametrize("suite", UBUNTU + DEBIAN)
def test_a_release(suite: str, fuel: Fuel, tmp_path: Path) -> None:
    request = sample(suite, tmp_path / "output", packages=["systemd-sysv", "udev", "openssh-server"])
    if suite == "sid":
        # The test machines' mirror may stand still for weeks, and unstable's Release is valid for one.
        request["repos"][0]["trusted"] = True
    answer = requests.head(f"{request['repos'][0]['uri']}/dists/{suite}/InRelease", timeout=30)
    assert answer.ok, f"the mirror has no {suite}"
    fuel(request)
    found = ImageSet(metadata_of(request))
    assert found.record["os"] == {
        "name": SUITES[suite].distribution,
        "major": SUITES[suite].major,
        "minor": SUITES[suite].minor,
    }
    with found.mounted("/", tmp_path) as tree:
        assert (tree / "bin").is_symlink() is SUITES[suite].merged_usr
        assert (tree / "usr/sbin/sshd").exists() and (tree / "etc/systemd/system/ssh-host-keys.service").exists()
        assert (tree / "etc/machine-id").read_bytes() == b""
