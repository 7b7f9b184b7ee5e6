"""Real builds from the mirror that this host is configured with, each leaving the host as it was."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Callable

import pytest

from .images import ImageSet

Request = dict[str, Any]
Run = subprocess.CompletedProcess[str]
NEVER_WAIT_LONGER_SECONDS = 900
PROGRAM = (sys.executable, "-m", "fuel_image")

SMALL = ["systemd-sysv", "udev", "openssh-server", "libcap2-bin"]
"""Enough to see whether an image is clean, without a kernel."""


def host_state(workspace: Path) -> dict[str, list[str]]:
    """Return what of this test run is mounted, attached and running; other builds on the host do not matter."""
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    listed = ["losetup", "--list", "--noheadings", "--output", "NAME,BACK-FILE"]
    loops = subprocess.run(listed, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
    own = set(_own_processes())
    processes = [_command_line(path) for path in Path("/proc").glob("[0-9]*") if path not in own]
    return {
        name: sorted(line for line in lines if f"{workspace}/" in line)
        for name, lines in (("mounts", mounts), ("loops", loops), ("processes", processes))
    }


def _own_processes() -> Iterator[Path]:
    """Give the process of these tests and those that it descends from: they may name the workspace, too."""
    pid = os.getpid()
    while pid:
        process = Path("/proc", str(pid))
        yield process
        pid = int((process / "stat").read_text().rpartition(")")[2].split()[1])


def _command_line(process: Path) -> str:
    try:
        return (process / "cmdline").read_text(errors="replace")
    except OSError:
        return ""


@pytest.fixture(autouse=True)
def host_as_it_was(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """After every test nothing is mounted, attached to a loop device or running that was not before it."""
    assert os.geteuid() == 0, "integration tests run as root: mounts, loop devices, file ownership"
    workspace = tmp_path_factory.getbasetemp()
    before = host_state(workspace)
    yield
    # A build of the other worker has a copy of what was mounted when it began: the loop device stays until it ends,
    # be it one of this test or of one before it.
    deadline = time.monotonic() + NEVER_WAIT_LONGER_SECONDS
    while _added(before, host_state(workspace))["loops"] and time.monotonic() < deadline:
        time.sleep(0.5)
    assert _added(before, host_state(workspace)) == {name: [] for name in before}


def _added(before: dict[str, list[str]], after: dict[str, list[str]]) -> dict[str, list[str]]:
    """Return what is there that was not, twice what is there twice more."""
    return {name: sorted((Counter(after[name]) - Counter(before[name])).elements()) for name in before}


@pytest.fixture(scope="session")
def cache_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One pool of packages for all tests; kept between runs where FUEL_IMAGE_TEST_CACHE says so."""
    kept = os.environ.get("FUEL_IMAGE_TEST_CACHE")
    if kept:
        return Path(kept)
    if "PYTEST_XDIST_WORKER" in os.environ:  # each worker has a directory of its own in the same one
        shared = tmp_path_factory.getbasetemp().parent / "cache"
        shared.mkdir(exist_ok=True)
        return shared
    return tmp_path_factory.mktemp("cache")


def sample(suite: str | None, output: Path, **changes: Any) -> Request:
    """Return the program's own sample request for a release, with *changes*."""
    argv = [
        sys.executable,
        "-m",
        "fuel_image",
        "sample",
        "--output",
        str(output),
        *(["--suite", suite] if suite else []),
    ]
    text = subprocess.run(argv, check=True, stdout=subprocess.PIPE, text=True).stdout
    request: Request = {**json.loads(text), **changes}
    for repo in request["repos"]:
        if "ubuntu" in repo["uri"]:
            repo["section"] = "main universe"
    return request


Fuel = Callable[..., Run]


@pytest.fixture(scope="session")
def fuel(cache_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Fuel:
    """Return a function that runs the program on a request and returns how it ended."""
    work_dir = tmp_path_factory.mktemp("work")

    def run(
        request: Request | str, *options: str, expect: int = 0, program: Sequence[str] = PROGRAM, **changes: Any
    ) -> Run:
        text = request if isinstance(request, str) else json.dumps(request)
        argv = [
            *program,
            "--work-dir",
            str(work_dir),
            "--cache-dir",
            str(cache_dir),
            *options,
            text,
        ]
        ended = subprocess.run(
            argv,
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=NEVER_WAIT_LONGER_SECONDS,
            **changes,
        )
        assert ended.returncode == expect, ended.stderr
        return ended

    return run


LONG = ("boot", "suites", "layers", "customisation", "parity", "image", "bootloader", "seed", "published", "ahead")
"""The files of tests that take minutes: begun first, neither of two workers waits long for the other at the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files of tests that take long first."""
    turn = {f"test_{name}": number for number, name in enumerate(LONG)}
    items.sort(key=lambda item: turn.get(item.path.stem, len(turn)) if item.path.parent == Path(__file__).parent else 0)


def metadata_of(request: Request) -> Path:
    name = request["image_data"]["/"]["uri"].rpartition("/")[2].split(".")[0]
    return Path(request["output"]) / f"{name}.yaml"


@pytest.fixture(scope="session")
def debian(fuel: Fuel, tmp_path_factory: pytest.TempPathFactory) -> ImageSet:
    """A small image set of the host's own release, with a root password and a log."""
    output = tmp_path_factory.mktemp("debian")
    request = sample(None, output, packages=SMALL, root_password="planted-secret")
    fuel(request, "--log-file", str(output.parent / "debian.log"))
    (output.parent / "debian.json").write_text(json.dumps(request))
    return ImageSet(metadata_of(request))


BENCHMARK = """
    systemd-sysv apt udev dbus login linux-image-virtual initramfs-tools cloud-init openssh-server grub-pc lvm2 mdadm
    curl gdisk ethtool acl bash-completion bridge-utils build-essential
"""


@pytest.fixture(scope="session")
def noble(fuel: Fuel, tmp_path_factory: pytest.TempPathFactory) -> ImageSet:
    """An image set of Ubuntu noble that boots."""
    output = tmp_path_factory.mktemp("noble")
    request = sample("noble", output, packages=BENCHMARK.split(), root_password="r00tme")
    fuel(request)
    (output.parent / "noble.json").write_text(json.dumps(request))
    return ImageSet(metadata_of(request))
