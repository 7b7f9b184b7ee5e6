"""Hosts that lack something.

Each of them lacks it in a mount namespace of its own: what tests run beside is not disturbed.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

from fuel_image import plan, request
from fuel_image.host.command import find
from tests.integration.images import output_of

from .ground import Ground, Run, Stopped, reset
from .mirror import Mirror

PRIVATE = ("unshare", "--mount", "sh", "-c")
TOOLS = {
    kind: plan.make(request.parse(json.dumps(document))).tools
    for kind in ("ext4", "xfs", "btrfs")
    for document in [
        {
            "image_data": {"/": {"uri": "http://127.0.0.1/one.img", "format": kind, "container": "raw"}},
            "output": "/nowhere",
            "repos": [{"name": "r", "uri": "http://127.0.0.1/", "suite": "stable", "section": "main", "type": "deb"}],
            "codename": "stable",
        }
    ]
}


def lacking(ground: Ground, script: str, *arguments: object, **changes: Any) -> Run:
    """Build in a mount namespace that a shell script has changed."""
    reset(ground)
    words = [str(argument) for argument in arguments]
    return ground.run(within=(*PRIVATE, f'{script}; shift {len(words)}; exec "$@"', "sh", *words), **changes)


def assert_refused(ground: Ground, ended: Run, *words: str) -> None:
    """It has given up with a message that holds *words*, nothing is left, and what was published is as it was."""
    assert ended.returncode in (1, 3), ended.stderr
    assert_left_alone(ground, ended, *words)


def assert_left_alone(ground: Ground, ended: Run, *words: str) -> None:
    assert all(word in ended.stderr for word in words), ended.stderr
    assert "a defect" not in ended.stderr and "Traceback" not in ended.stderr, ended.stderr
    assert ground.left() == {}
    ground.assert_whole()


@pytest.mark.parametrize(("kind", "tool"), sorted((kind, tool) for kind, tools in TOOLS.items() for tool in tools))
def test_a_missing_tool(kind: str, tool: str, ground: Ground) -> None:
    """A program of the host that is missing is named with its package, before anything is made."""
    images = {"/": {**ground.request["image_data"]["/"], "format": kind}}
    asking = dataclasses.replace(ground, request={**ground.request, "image_data": images})
    ended = lacking(asking, 'mount --bind /dev/null "$1"', find(tool))
    assert_refused(ground, ended, f"the program {tool} (package ")
    assert ended.returncode == 3 and "Fetching" not in ended.stderr


def test_no_loop_devices(ground: Ground) -> None:
    """A host without loop devices is told what to do."""
    ended = lacking(ground, "mount --bind /dev/null /dev/loop-control")
    assert_refused(ground, ended, "to a loop device", "load the kernel module loop")
    assert ended.returncode == 3


def test_no_free_loop_device(ground: Ground, places: Sequence[str]) -> None:
    """A host whose loop devices are all taken says so."""
    reset(ground)
    place = next(place for place in places if place.startswith("fcntl.ioctl"))
    assert_refused(ground, ground.run({"at": place, "errno": 28}), "no loop device is free", "losetup --list")


@contextmanager
def builder(stopped: Stopped) -> Iterator[int]:
    """Give the number of the process that builds, and let it go on at the end of the block."""
    pid = stopped.process.pid
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    yield int(children[0])
    stopped.let_go()


def test_a_loop_device_that_fails(ground: Ground, places: Sequence[str]) -> None:
    """A loop device that cannot be read fails the build: an image that could not be checked is not published."""
    reset(ground)
    attached = places.index(next(place for place in places if place.startswith("fcntl.ioctl"))) + 2
    place = next(place for place in places[attached:] if "images/check.py" in place)
    stopped = ground.stopped_at(place)
    assert stopped is not None
    with builder(stopped) as pid:
        listed = output_of("losetup", "--list", "--noheadings", "--output", "BACK-FILE").splitlines()
        (image,) = (path for path in listed if path.startswith(f"{ground.work}/"))
        os.truncate(f"/proc/{pid}/root{image}", 1 << 20)  # what is beyond the end of its file it cannot read
    said = stopped.ended()
    assert stopped.process.returncode in (1, 3), said
    assert "a defect" not in said
    assert ground.left() == {}
    ground.assert_whole()
    ground.assert_next_succeeds()


def test_an_unmount_that_stays_busy(ground: Ground, places: Sequence[str]) -> None:
    """A file system that somebody keeps busy fails the build, and the message names who does."""
    ground.forget()
    reset(ground)
    stopped = ground.stopped_at(next(place for place in places if place.startswith("kernel.umount")))
    assert stopped is not None
    with builder(stopped) as pid:
        mounts = Path(f"/proc/{pid}/mountinfo").read_text().splitlines()
        last = [line.split()[4] for line in mounts if f"{ground.top}/" in line][-1]
        enter = ("nsenter", "--target", str(pid), "--mount", "--pid", f"--wdns={last}")
        holder = subprocess.Popen([*enter, "sh", "-c", "echo there; exec sleep 600"], stdout=subprocess.PIPE)
        assert holder.stdout is not None and holder.stdout.readline() == b"there\n"
    said = stopped.ended()
    holder.communicate()  # it has died with the build
    assert stopped.process.returncode == 1, said
    assert "unmounting" in said and "sleep (" in said, said
    assert ground.left() == {}
    ground.assert_whole()
    ground.assert_next_succeeds()


@pytest.mark.parametrize("options", ["noexec,nosuid,nodev", "noexec,nosuid,nodev,noatime,nosymfollow"])
def test_a_strict_work_directory(options: str, ground: Ground) -> None:
    """Work and cache directories mounted noexec, nosuid and nodev serve as any."""
    ground.forget()
    script = 'for one in "$1" "$2"; do mount -t tmpfs -o "$3" fuel-image-test "$one"; done'
    ended = lacking(ground, script, ground.work, ground.cache, options)
    assert ended.returncode == 0, ended.stderr
    ground.assert_done()


def test_a_strict_tmp(ground: Ground, tmp_path: Path) -> None:
    """A /tmp mounted noexec, nosuid and nodev is not in the way."""
    (tmp_path / "tmp").mkdir()
    ground.forget()
    script = 'mount -t tmpfs -o noexec,nosuid,nodev fuel-image-test "$1"'
    ended = lacking(ground, script, tmp_path / "tmp", env={**os.environ, "TMPDIR": str(tmp_path / "tmp")})
    assert ended.returncode == 0, ended.stderr
    ground.assert_done()


def test_a_work_directory_on_overlayfs(ground: Ground, tmp_path: Path) -> None:
    """A work directory on overlayfs, as in a container, which cannot hold another overlay, is named as the cause."""
    ground.forget()
    for name in ("lower", "upper", "scratch"):
        (tmp_path / name).mkdir()
    script = 'for one in "$1" "$2"; do mount -t overlay -o "$3" fuel-image-test "$one"; done'
    options = f"lowerdir={tmp_path}/lower,upperdir={tmp_path}/upper,workdir={tmp_path}/scratch"
    ended = lacking(ground, script, ground.work, ground.cache, options)
    assert_refused(ground, ended, "is on overlay", "--work-dir", "--cache-dir")
    assert ended.returncode == 3 and "Fetching" not in ended.stderr


MEMORY = Path("/sys/fs/cgroup/memory")


@pytest.fixture
def group() -> Iterator[Path]:
    """A control group of its own (cgroups(7), version 1)."""
    path = MEMORY / f"fuel-image-test-{os.getpid()}"
    path.mkdir()
    yield path
    path.rmdir()


@pytest.mark.parametrize("limit_mib", [48, 64, 80, 96, 112, 128, 160])
def test_too_little_memory(limit_mib: int, group: Path, ground: Ground) -> None:
    """A memory limit that is hit ends the build with a message that says so."""
    ground.forget()
    (group / "memory.limit_in_bytes").write_text(str(limit_mib << 20))
    ended = lacking(ground, 'echo $$ > "$1/cgroup.procs"', group)
    if ended.returncode == 0:
        ground.assert_done()
    elif ended.returncode == 137:  # the process that builds, which could not say it itself
        assert_left_alone(ground, ended, "out of memory?")
    else:
        assert_refused(ground, ended, "memory")
    ground.assert_next_succeeds()


@pytest.mark.parametrize("now", ["2001-01-01", "2060-01-01"])
def test_a_clock_that_is_far_off(now: str, ground: Ground, mirror: Mirror, tmp_path: Path) -> None:
    """A clock that is decades off is named as a cause, be the repository not signed yet or expired."""
    dated = tmp_path / "mirror"
    shutil.copytree(mirror.directory / "dists", dated / "dists")
    mirror.release(dated, **{"Valid-Until": formatdate(time.time() + 86400, usegmt=True)})
    gpgv = find("gpgv")
    assert gpgv is not None
    shutil.copy(gpgv, tmp_path / "gpgv.real")
    (tmp_path / "gpgv").write_text(f'#!/bin/sh\nexec faketime {now} {tmp_path}/gpgv.real "$@"\n')
    (tmp_path / "gpgv").chmod(0o755)
    asking = dataclasses.replace(ground, request=mirror.request(ground.output, dated.as_uri()))
    # The time since the start is right on a host whose date is wrong; where it is not, nobody's waiting ends.
    script = 'mount --bind "$1" "$2"; export FAKETIME="$3" LD_PRELOAD="$4" FAKETIME_DONT_FAKE_MONOTONIC=1'
    library = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
    ended = lacking(asking, script, tmp_path / "gpgv", gpgv, f"@{now} 00:00:00", library)
    assert_refused(ground, ended, "clock")
