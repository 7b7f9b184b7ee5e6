"""Image sets of the default packages, and fuel-agent in an environment of its own.

It pins libraries older than those of the product. What else it runs is the host's: e2fsck, resize2fs, rsync.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.conftest import Fuel, cache_dir, fuel, host_as_it_was, metadata_of, sample
from tests.integration.images import ImageSet

__all__ = ["cache_dir", "fuel", "host_as_it_was"]

REQUIREMENTS = ("fuel-agent==11.0.0", "standard-crypt; python_version >= '3.13'")
"""It imports crypt, which Python had until 3.12."""


@pytest.fixture(scope="session")
def agent_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a Python that has fuel-agent."""
    environment = tmp_path_factory.mktemp("agent")
    subprocess.run([sys.executable, "-m", "venv", environment], check=True)
    subprocess.run([environment / "bin/pip", "install", "--quiet", *REQUIREMENTS], check=True)
    return environment / "bin/python"


@pytest.fixture(scope="session", params=["noble", "host"])
def image_set(request: pytest.FixtureRequest, fuel: Fuel, tmp_path_factory: pytest.TempPathFactory) -> ImageSet:
    """The default packages of a release; the host's has /boot on ext4 and an image for /var/log too."""
    output = tmp_path_factory.mktemp("published") / "targetimages"
    asked = sample("noble" if request.param == "noble" else None, output)
    if request.param == "host":
        asked["image_data"]["/boot"]["format"] = "ext4"
        asked["image_data"]["/var/log"] = {"uri": "http://127.0.0.1/log.img.gz", "format": "ext4", "container": "gzip"}
    fuel(asked)
    return ImageSet(metadata_of(asked))
