"""Kept in the tree: what packages' scripts cannot reach."""

from __future__ import annotations

import collections
import os
import platform
import socket
import stat
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.integration.conftest import Fuel, metadata_of
from tests.integration.images import ImageSet, facts
from tests.integration.repository import package

from . import hostile
from .conftest import Tried
from .mirror import Mirror

pytestmark = pytest.mark.xdist_group("escapes")

STAGES = {"essential": ("hostname", "99", "Essential: yes\n"), "ordinary": ("ordinary", "1", "")}
"""A package for each: one takes the place of an essential one of its name, so that its script runs first of all."""
_CAP_SYS_RESOURCE = 24
_SYSCTLS = ("core_pattern", "hostname", "domainname", "sysrq", "pid_max", "modprobe", "ctrl-alt-del", "panic")


class Results(NamedTuple):
    """What came of the attempts, by group, in both stages; and the host before and after."""

    attempts: Mapping[str, Sequence[tuple[str, str, str]]]
    before: Mapping[str, object]
    after: Mapping[str, object]

    def none_done(self, group: str, tried: Tried) -> None:
        attempts = self.attempts[group]
        assert {stage for stage, _, _ in attempts} == set(STAGES)
        assert [one for one in attempts if one[2] == "done"] == []
        tried(len(attempts))


def _host(canaries: Path) -> dict[str, object]:
    """Return what of the host a script might want to change."""
    clock = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
    return {
        "names": (socket.gethostname(), platform.node()),
        "devices": {str(path): facts_of_node(path) for path in sorted(Path("/dev").glob("*"))},
        "sysctls": [path.read_text() for name in _SYSCTLS if (path := Path("/proc/sys/kernel", name)).exists()],
        "modules": Path("/proc/modules").read_text() if Path("/proc/modules").exists() else "",
        "clock, to some minutes": round(clock / 600),
        "shared memory": len(Path("/proc/sysvipc/shm").read_text().splitlines()),
        "keys": "probe" in Path("/proc/keys").read_text(),
        "python": facts(Path(os.path.realpath("/proc/self/exe"))),
        "canaries": {path.name: facts(path) for path in canaries.iterdir()},
        "directory": facts(canaries)._replace(mtime=None),
    }


def facts_of_node(path: Path) -> tuple[int, int, int]:
    found = path.lstat()
    return found.st_mode, found.st_rdev, found.st_uid


@pytest.fixture(scope="session")
def results(fuel: Fuel, mirror: Mirror, tmp_path_factory: pytest.TempPathFactory) -> Results:
    """Build once, with a script that tries everything in each of both stages."""
    directory = tmp_path_factory.mktemp("escapes")
    canaries = directory / "canaries"
    canaries.mkdir()
    (canaries / "canary").write_text("alive")
    disk = os.stat(directory).st_dev
    with socket.create_server(("127.0.0.1", 0)) as listening, socket.socket(socket.AF_UNIX) as abstract:
        name = f"{directory}/abstract"
        abstract.bind(f"\0{name}")
        abstract.listen()
        script = (Path(__file__).parent / "escapes.pl").read_text()
        put_in = {"PORT": str(listening.getsockname()[1]), "SOCKET": name, "CANARY": f"{canaries}/canary"[1:]}
        put_in["DISK"] = f"{os.major(disk)} {os.minor(disk)}"
        for word, text in put_in.items():
            script = script.replace(word, text)
        debs = [
            package(directory, name, version, fields=fields, postinst=script.replace("OUT", f"/var/lib/probe/{stage}"))
            for stage, (name, version, fields) in STAGES.items()
        ]
        request = hostile.request(
            mirror, directory / "output", directory, debs, [name for name, _, _ in STAGES.values()]
        )
        before = _host(canaries)
        fuel(request)
        after = _host(canaries)
    attempts = collections.defaultdict(list)
    with ImageSet(metadata_of(request)).mounted("/", directory) as root:
        for stage in STAGES:
            for line in (root / "var/lib/probe" / stage).read_text().splitlines():
                group, attempt, answer = line.split(": ", 2)
                attempts[group].append((stage, attempt, answer))
    return Results(attempts, before, after)


def test_the_host_s_devices(results: Results, tried: Tried) -> None:
    """A script cannot open the host's disk or memory, whatever device nodes it makes and wherever."""
    results.none_done("devices", tried)


def test_mounts(results: Results, tried: Tried) -> None:
    """A script can neither mount nor unmount anything."""
    results.none_done("mounts", tried)


def test_chroot(results: Results, tried: Tried) -> None:
    """A script that leaves its root directory the old way finds itself in the tree again."""
    results.none_done("chroot", tried)


def test_the_first_process(results: Results, tried: Tried) -> None:
    """The process of the host that runs a script is closed to it: its memory, its program, its namespaces."""
    results.none_done("first process", tried)


def test_privileges(results: Results, tried: Tried) -> None:
    """A script cannot load modules, reach the hardware, set the clock, restart or rename the machine."""
    results.none_done("privileges", tried)


def test_namespaces(results: Results, tried: Tried) -> None:
    """A script cannot make namespaces in which it would have all privileges again."""
    results.none_done("namespaces", tried)


def test_files_of_the_kernel(results: Results, tried: Tried) -> None:
    """A script cannot write to the kernel's files in /proc and /sys."""
    results.none_done("kernel", tried)


def test_network(results: Results, tried: Tried) -> None:
    """A script reaches no network, no server of the host, no hypervisor."""
    results.none_done("network", tried)


def test_keys(results: Results, tried: Tried) -> None:
    """A script sees none of the host's keyrings and loads no programs into the kernel."""
    results.none_done("keys", tried)


def test_terminal(results: Results, tried: Tried) -> None:
    """A script has no terminal and types into none."""
    results.none_done("terminal", tried)


def test_share_of_the_machine(results: Results, tried: Tried) -> None:
    """A script takes no precedence over the host's programs, and goes first when memory runs out."""
    if _may(_CAP_SYS_RESOURCE):  # the kernel lets nobody bind others who could not unbind them
        results.none_done("score", tried)
    results.none_done("share", tried)


def _may(capability: int) -> bool:
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("CapEff:"))
    return bool(int(line.split()[1], 16) >> capability & 1)


def test_shared_memory(results: Results, tried: Tried) -> None:
    """A script sees none of the host's shared memory."""
    results.none_done("memory", tried)


def test_the_pool(results: Results, tried: Tried) -> None:
    """A script cannot change the packages that later builds will use."""
    results.none_done("pool", tried)


def test_the_host_is_as_it_was(results: Results, tried: Tried) -> None:
    """After scripts have tried all that, names, devices, clock, modules and files of the host are as before."""
    assert results.after == results.before
    tried(len(results.after))


def test_the_work_directory_is_closed(fuel: Fuel, mirror: Mirror, tmp_path: Path) -> None:
    """No user of the host reaches set-user-ID programs of a tree while it is built, or those of a kept layer."""
    script = "#!/bin/sh\ncp /bin/sh /opt/root-shell\nchmod 4755 /opt/root-shell\n"
    deb = package(tmp_path, "setuid", postinst=script)
    request = hostile.request(mirror, tmp_path / "output", tmp_path, [deb], ["setuid"])
    fuel(request, "--work-dir", str(tmp_path / "work"), "--cache-dir", str(tmp_path / "cache"))
    layers = list((tmp_path / "cache/layers").glob("*/upper/opt/root-shell"))
    assert len(layers) == 1 and layers[0].stat().st_mode & stat.S_ISUID
    closed = [parent for parent in layers[0].parents if parent.stat().st_mode & 0o077 == 0]
    assert closed and tmp_path in closed[0].parents
