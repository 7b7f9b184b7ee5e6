"""Faults survived: whole builds from a mirror that misbehaves."""

from __future__ import annotations

import socket
import subprocess
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Callable

import pytest

from tests.integration.conftest import Fuel, Run, metadata_of
from tests.integration.images import ImageSet

from .mirror import Mirror
from .misbehaving import FAULTS, PASSING, SLOW, always, at_random, first, misbehaving
from .pool import whole

pytestmark = pytest.mark.xdist_group("mirror_builds")

EPOCH = 1_700_000_000
Built = Callable[..., "dict[str, Any]"]


@pytest.fixture
def built(fuel: Fuel, mirror: Mirror, tmp_path: Path) -> Built:
    """Return a function that builds from some servers with nothing kept, and returns the record without addresses."""

    def build(name: str, *uris: str) -> dict[str, Any]:
        request = mirror.request(tmp_path / name, uris[0], source_date_epoch=EPOCH)
        request["repos"][0]["uris"] = list(uris[1:])
        fuel(request, "--cache-dir", str(tmp_path / f"{name}-cache"))
        assert whole(tmp_path / f"{name}-cache/pool") > 10
        assert not list((tmp_path / f"{name}-cache/pool").rglob("*.part"))
        record = ImageSet(metadata_of(request)).record
        lines = "".join(
            f"{image['container_sha256']}  {tmp_path / name / image['container_name']}\n" for image in record["images"]
        )
        subprocess.run(["sha256sum", "--check", "--strict", "--quiet"], input=lines, text=True, check=True)
        return {"images": record["images"], "installed": record["installed"]}

    return build


@pytest.fixture(scope="session")
def undisturbed(fuel: Fuel, mirror: Mirror, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The record of a build that nothing disturbed."""
    directory = tmp_path_factory.mktemp("undisturbed")
    request = mirror.request(directory / "output", source_date_epoch=EPOCH)
    fuel(request, "--cache-dir", str(directory / "cache"))
    record = ImageSet(metadata_of(request)).record
    return {"images": record["images"], "installed": record["installed"]}


def failed(fuel: Fuel, mirror: Mirror, tmp_path: Path, *uris: str) -> Run:
    """Build from some servers, in vain."""
    request = mirror.request(tmp_path / "output", uris[0])
    request["repos"][0]["uris"] = list(uris[1:])
    ended = fuel(request, "--cache-dir", str(tmp_path / "cache"), expect=1)
    whole(tmp_path / "cache/pool")
    assert "Traceback" not in ended.stderr
    assert not list((tmp_path / "output").glob("*"))
    return ended


@pytest.mark.parametrize(
    "seed", [*range(2), *(pytest.param(seed, marks=pytest.mark.thorough) for seed in range(2, 20))]
)
def test_random_failures(seed: int, built: Built, undisturbed: dict[str, Any], mirror: Mirror) -> None:
    """A build from one mirror of which 30 % of the answers have a fault makes the same image as any other."""
    with misbehaving(mirror.directory, at_random(seed, 0.3)) as server:
        assert built("disturbed", server.url) == undisturbed
    assert 0.1 < len(server.faults) / len(server.asked) < 0.5
    assert len({fault for _, fault in server.faults}) > 5


def test_half_the_mirrors_dead(built: Built, undisturbed: dict[str, Any], mirror: Mirror) -> None:
    """A build for which half the mirrors are dead, each in its own way, makes the same image as any other."""
    with ExitStack() as stack:
        faults = ("reset before an answer", "500", "wrong bytes of the right length")
        programmes = [*(always(fault) for fault in faults), *(at_random(seed, 0.1) for seed in range(4))]
        servers = [stack.enter_context(misbehaving(mirror.directory, programme)).url for programme in programmes]
        assert built("disturbed", refusing(stack), *servers) == undisturbed


def refusing(stack: ExitStack) -> str:
    """Return the address of a port on which nobody listens, and nobody else will for the length of the block."""
    holder = stack.enter_context(socket.socket())
    holder.bind(("127.0.0.1", 0))
    return f"http://127.0.0.1:{holder.getsockname()[1]}"


@pytest.mark.thorough
@pytest.mark.parametrize("fault", [*PASSING, *SLOW])
def test_one_fault(fault: str, built: Built, undisturbed: dict[str, Any], mirror: Mirror) -> None:
    """A build for which the first answer for each file has the same fault makes the same image as any other."""
    pattern = "*.deb" if fault not in SLOW else "*/hello_*.deb"  # each takes half a minute
    with misbehaving(mirror.directory, first(1, fault, pattern)) as server:
        assert built("disturbed", server.url) == undisturbed
    assert server.faults


def test_a_package_that_is_not_there(fuel: Fuel, mirror: Mirror, tmp_path: Path) -> None:
    """A build whose mirror lacks a package that its index names fails with URL, attempts and cause."""
    with misbehaving(mirror.directory, always("404", "*/hello_*.deb")) as server:
        said = failed(fuel, mirror, tmp_path, server.url).stderr
    (path,) = {path for path, _ in server.faults}
    assert f"{server.url}{path}: HTTP 404" in said and "(attempts: " in said


@pytest.mark.thorough
@pytest.mark.parametrize("fault", [*FAULTS, "refused"])
def test_nothing_works(fault: str, fuel: Fuel, mirror: Mirror, tmp_path: Path) -> None:
    """A build whose only mirror always has the same fault fails within a quarter of an hour and names the mirror."""
    with ExitStack() as stack:
        if fault == "refused":
            url = refusing(stack)
        else:
            url = stack.enter_context(misbehaving(mirror.directory, always(fault))).url
        assert url in failed(fuel, mirror, tmp_path, url).stderr
