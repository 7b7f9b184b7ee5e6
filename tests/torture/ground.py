"""Where builds meet faults, and what must be true of it afterwards."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.integration.conftest import NEVER_WAIT_LONGER_SECONDS, PROGRAM, host_state

from .mirror import Mirror

FAULTY = (sys.executable, "-m", "tests.torture.faulty")
EPOCH = 1_700_000_000
_LOOK_AGAIN_SECONDS = 0.01
_PATIENCE_SECONDS = 10

Run = subprocess.CompletedProcess[str]


@dataclass(frozen=True)
class Ground:
    """The directories of some builds, below *top*, with the digest of the image that each of them makes.

    What is in the output from the beginning is another set with the same names: the one that nodes have so far.
    """

    top: Path
    request: dict[str, Any]
    earlier: str
    made: str

    @property
    def work(self) -> Path:
        return self.top / "work"

    @property
    def cache(self) -> Path:
        return self.top / "cache"

    @property
    def output(self) -> Path:
        return Path(self.request["output"])

    def command(self, fault: dict[str, Any] | None = None) -> list[str]:
        """Return how a build is started that meets a fault, or none."""
        program = PROGRAM if fault is None else (*FAULTY, json.dumps(fault))
        places = ("--work-dir", str(self.work), "--cache-dir", str(self.cache))
        return [*program, *places, "--force", json.dumps(self.request)]

    def run(self, fault: dict[str, Any] | None = None, *, within: Sequence[str] = (), **changes: Any) -> Run:
        """Build to the end; *within* is the command line of a program that starts the build."""
        argv = [*within, *self.command(fault)]
        return subprocess.run(
            argv, check=False, capture_output=True, text=True, timeout=NEVER_WAIT_LONGER_SECONDS, **changes
        )

    def stopped_at(self, place: str) -> Stopped | None:
        """Start a build and return it when it has come to a place and waits there; None if it ended well before."""
        meeting = self.top / "meeting"
        shutil.rmtree(meeting, ignore_errors=True)
        meeting.mkdir()
        process = subprocess.Popen(
            self.command({"at": place, "meet": str(meeting)}), stderr=subprocess.PIPE, stdout=subprocess.DEVNULL
        )
        stopped = Stopped(process, meeting)
        deadline = time.monotonic() + NEVER_WAIT_LONGER_SECONDS
        while not (meeting / "here").exists():
            if process.poll() is not None:
                assert process.returncode == 0, stopped.ended()
                stopped.ended()
                return None
            assert time.monotonic() < deadline, place
            time.sleep(_LOOK_AGAIN_SECONDS)
        return stopped

    def places(self) -> list[str]:
        """Return the places that a build comes by, in order; which depends on what is kept from earlier ones."""
        record = self.top / "places"
        record.unlink(missing_ok=True)
        ended = self.run({"record": str(record)})
        assert ended.returncode == 0, ended.stderr
        return record.read_text().splitlines()

    def forget(self) -> None:
        """Be a host on which nothing was built before."""
        for directory in (self.work, self.cache):
            for path in directory.glob("*"):
                shutil.rmtree(path) if path.is_dir() else path.unlink()

    def left(self) -> dict[str, list[str]]:
        """Return what of the builds is mounted, attached or running, when the kernel has had time to end it."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while True:
            left = {name: found for name, found in host_state(self.top).items() if found}
            if not left.keys() - {"mounts"} or time.monotonic() > deadline:
                return left
            time.sleep(_LOOK_AGAIN_SECONDS)

    def assert_whole(self) -> None:
        """Every file that a node can see is whole: of the earlier set, or of the new one."""
        seen = {path.name for path in self.output.iterdir() if not path.name.startswith(".")}
        assert seen <= {"small.img.gz", "small.yaml"}
        digest = _sha256(self.output / "small.img.gz")
        assert digest in (self.earlier, self.made)
        if "small.yaml" in seen:
            record = yaml.safe_load((self.output / "small.yaml").read_text())
            assert record["images"][0]["container_sha256"] == digest

    def assert_next_succeeds(self) -> None:
        """The next build makes the set, and leaves nothing of itself or of those before it."""
        ended = self.run()
        assert ended.returncode == 0, ended.stderr
        self.assert_done()

    def assert_done(self) -> None:
        """The new set is there, and nothing else but the cache."""
        assert sorted(os.listdir(self.output)) == ["small.img.gz", "small.yaml"]
        assert _sha256(self.output / "small.img.gz") == self.made
        self.assert_whole()
        assert os.listdir(self.work) == []
        assert not list((self.cache / "layers").glob("*.new"))


@dataclass(frozen=True)
class Stopped:
    """A build that waits at a place."""

    process: subprocess.Popen[bytes]
    meeting: Path

    def let_go(self) -> None:
        """Let it go on."""
        (self.meeting / "on").touch()

    def ended(self) -> str:
        """Wait for its end and return what it said."""
        self.let_go()
        _, said = self.process.communicate(timeout=NEVER_WAIT_LONGER_SECONDS)
        return said.decode(errors="replace")


def prepared(top: Path, mirror: Mirror) -> Ground:
    """Make a ground below *top*, on which the sets of two requests have been built once to know their digests."""
    request = mirror.request(top / "output", source_date_epoch=EPOCH)
    digests = []
    for one in ({**request, "root_password": "earlier"}, request):
        ground = Ground(top, one, "", "")
        ended = ground.run()
        assert ended.returncode == 0, ended.stderr
        digests.append(_sha256(ground.output / "small.img.gz"))
        if len(digests) == 1:
            shutil.copytree(ground.output, top / "earlier")
    ground = Ground(top, request, *digests)
    reset(ground)
    return ground


def moved(ground: Ground, top: Path) -> Ground:
    """Return the same ground below *top*, which makes the same sets: where they are made is not in them."""
    shutil.copytree(ground.top / "earlier", top / "earlier")
    return dataclasses.replace(ground, top=top, request={**ground.request, "output": str(top / "output")})


def shares(count: int, quick: int) -> list[Any]:
    """Return the numbers of so many parts of the places, of which a *quick* few are tried with every change."""
    return [pytest.param(one, marks=() if one < quick else pytest.mark.thorough) for one in range(count)]


def reset(ground: Ground) -> None:
    """Put the earlier set back into the output."""
    ground.output.mkdir(exist_ok=True)
    for path in ground.output.iterdir():
        path.unlink()
    for path in (ground.top / "earlier").iterdir():
        shutil.copy(path, ground.output)


def few(places: Sequence[str]) -> list[str]:
    """Return the mounts, the programs, and the first place of each kind in each module."""
    kinds: dict[object, str] = {}
    for place in places:
        event, *lines = place.split()
        own = event.startswith("kernel.") or event == "os.fork"
        kinds.setdefault(place if own else (event, lines[-1].partition(":")[0]), place)
    return list(kinds.values())


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()
