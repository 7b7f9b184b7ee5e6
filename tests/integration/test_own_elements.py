"""The elements that come with the program, in an image with diskimage-builder's own."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from fuel_image.elements import element
from tests.unit.elements.making import written

from .conftest import Fuel, metadata_of
from .images import ImageSet, output_of
from .servers import directory
from .test_elements import elements as their_elements
from .test_elements import their_python
from .test_phases import ELEMENTS, asked

__all__ = ["their_elements", "their_python"]

pytestmark = pytest.mark.integration

VERSION = "ansible/environment.d/10-ansible"
BEFORE = {
    "*before/install.d/10-before": """#!/bin/sh -eu
mkdir -p /etc/docker /etc/selinux
echo '{"log-level": "warn", "insecure-registries": ["10.0.0.1:5000"]}' > /etc/docker/daemon.json
printf 'SELINUX=enforcing\\nSELINUXTYPE=targeted\\n' > /etc/selinux/config
echo 127.0.0.1 localhost > /etc/hosts
""",
}
VARIABLES = {
    "DIB_INSECURE_DOCKER_REGISTRIES": "10.0.0.1:5000, registry.example.org:5000",
    "DIB_HOSTS": "10.0.0.2 registry.example.org registry; fd00::2 registry6",
}


@contextmanager
def index(workspace: Path) -> Iterator[str]:
    """Serve what ansible takes, as an index of Python packages; what this host's pip is told reaches no tree."""
    version = re.search(r"DIB_ANSIBLE_VERSION:-([\d.]+)}", (element.OWN / VERSION).read_text())
    assert version is not None
    argv = [sys.executable, "-m", "pip", "download", "--quiet", "--only-binary=:all:"]
    python = output_of("/usr/bin/python3", "-c", "import sys; print('%d.%d' % sys.version_info[:2])").strip()
    subprocess.run(
        [*argv, "--dest", workspace / "wheels", "--python-version", python, f"ansible-core=={version[1]}"], check=True
    )
    for wheel in (workspace / "wheels").iterdir():
        project = workspace / "index" / wheel.name.partition("-")[0].replace("_", "-").lower()
        project.mkdir(parents=True)
        wheel.rename(project / wheel.name)
    with directory(workspace / "index") as url:
        yield url


def test_what_they_make(fuel: Fuel, their_elements: Path, tmp_path: Path) -> None:
    """Each that there is; they add to what is there, and change nothing else."""
    written(tmp_path / "elements", BEFORE)
    names = sorted(path.name for path in element.OWN.iterdir())
    with index(tmp_path) as url:
        variables = {**VARIABLES, "DIB_PYPI_MIRROR_URL": url}
        request = asked(tmp_path, "debian-minimal", "before", *names, environment=variables)
        request["elements_path"].append(str(their_elements))
        fuel(request)
    with ImageSet(metadata_of(request)).mounted("/", tmp_path) as root:
        settings: dict[str, Any] = json.loads((root / "etc/docker/daemon.json").read_text())
        assert settings == {
            "log-level": "warn",
            "insecure-registries": ["10.0.0.1:5000", "registry.example.org:5000"],
        }
        assert (root / "etc/selinux/config").read_text() == "SELINUX=disabled\nSELINUXTYPE=targeted\n"
        hosts = (root / "etc/hosts").read_text().splitlines()
        assert hosts[0] == "127.0.0.1 localhost"
        assert hosts[2:4] == ["10.0.0.2\tregistry.example.org\tregistry", "fd00::2\tregistry6"] and len(hosts) == 5
        imported = ["/opt/ansible/bin/python3", "-c", "import ansible.release as one; print(one.__version__)"]
        for argv, said in (
            (imported, "2."),
            (["g++", "--version"], "g++"),
            (["dpkg-buildpackage", "--version"], "Debian"),
        ):
            found = subprocess.run(["chroot", root, *argv], check=True, stdout=subprocess.PIPE, text=True).stdout
            assert found.startswith(said), found
        assert (root / "usr/local/bin/ansible-playbook").is_symlink()


@pytest.mark.parametrize(
    ("name", "variables", "said"),
    [
        ("hosts", {}, "DIB_HOSTS has no line"),
        ("hosts", {"DIB_HOSTS": "10.0.0.300 one"}, "10.0.0.300 one: '10.0.0.300' does not appear to be an IPv4"),
        ("hosts", {"DIB_HOSTS": "10.0.0.3"}, "10.0.0.3 has no name"),
        ("insecure-docker-registry", {}, "DIB_INSECURE_DOCKER_REGISTRIES names no registry"),
    ],
)
def test_what_they_are_not_told(name: str, variables: dict[str, str], said: str, fuel: Fuel, tmp_path: Path) -> None:
    system = {path: text for path, text in ELEMENTS.items() if "debian-minimal" in path}
    written(tmp_path / "elements", system)
    ended = fuel(asked(tmp_path, "debian-minimal", name, environment=variables), expect=1)
    assert f"running post-install.d/50-{name} of the element {name}: " in ended.stderr
    assert f"    | {said}" in ended.stderr or f"    | DIB_HOSTS: {said}" in ended.stderr
