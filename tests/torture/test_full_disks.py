"""Disks that are full, broken or read-only."""

from __future__ import annotations

import errno
import os
import re
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from .conftest import Tried
from .ground import Ground, few, moved, reset, shares

_SHARES, _SHARES_OF_FEW = 4, 16
_EACH = 6
"""Of how many places one is tried with every change."""
_PLENTY = "3g"
_NO_ROOM = "No space left on device|space in /"


@pytest.mark.parametrize("share", shares(_SHARES_OF_FEW, quick=1))
def test_a_call_that_fails(share: int, ground: Ground, places: Sequence[str], tried: Tried) -> None:
    """Whatever call that changes something fails for lack of room or with an input/output error, the message says so,
    nothing is left, and the next build succeeds.
    """
    fail_at(ground, few(places)[share::_SHARES_OF_FEW], tried)


@pytest.mark.thorough
@pytest.mark.parametrize("share", range(_SHARES))
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO], ids=os.strerror)
def test_any_call_that_fails(number: int, share: int, ground: Ground, places: Sequence[str], tried: Tried) -> None:
    """That holds for each single call that changes something, for lack of room and for input/output errors."""
    fail_at(ground, places[share::_SHARES], tried, number)


def fail_at(ground: Ground, places: Sequence[str], tried: Tried, number: int | None = None) -> None:
    ground.forget()
    reset(ground)
    wrong = []
    for turn, place in enumerate(places):
        code = number or (errno.ENOSPC, errno.EIO)[turn % 2]
        said = os.strerror(code) if code != errno.ENOSPC else f"{_NO_ROOM}|no loop device is free"
        ended = ground.run({"at": place, "errno": code})
        if ended.returncode == 0:  # not come by, as its layer is kept; or nothing depends on it
            ground.forget()
            ended = ground.run({"at": place, "errno": code})
        if ended.returncode == 0:
            ground.assert_done()
        elif ended.returncode not in (1, 3) or not re.search(said, ended.stderr) or "a defect" in ended.stderr:
            wrong.append(f"{place} {code}: {ended.stderr}")
        assert ground.left() == {}, place
        ground.assert_whole()
    assert not wrong, "\n".join(wrong)
    ground.assert_next_succeeds()
    tried(len(places))


DIRECTORIES = ("work", "cache", "output")


@pytest.fixture
def small(ground: Ground, tmp_path: Path) -> Iterator[Ground]:
    """The same ground, with each directory on a file system of its own."""
    other = moved(ground, tmp_path)
    for name in DIRECTORIES:
        (tmp_path / name).mkdir()
        options = f"size={_PLENTY},mode=755"
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "fuel-image-test", tmp_path / name], check=True)
    try:
        yield other
    finally:
        for name in DIRECTORIES:
            subprocess.run(["umount", tmp_path / name], check=True)


def fill(directory: Path) -> Path:
    """Take all room of a file system, to which another thread of the build may be writing."""
    ballast = directory / ".ballast"
    with ballast.open("wb") as file:
        status = os.statvfs(directory)
        taken, asked = 0, status.f_bavail * status.f_frsize
        while asked >= status.f_frsize:
            try:
                os.posix_fallocate(file.fileno(), taken, asked)
                taken += asked
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
                asked //= 2
    return ballast


def fill_at(small: Ground, directory: str, places: Sequence[str], tried: Tried) -> None:
    reset(small)
    wrong = []
    for place in places:
        stopped = small.stopped_at(place)
        if stopped is None:
            small.forget()
            stopped = small.stopped_at(place)
            assert stopped is not None, place
        ballast = fill(small.top / directory)
        said = stopped.ended()
        ballast.unlink()
        if stopped.process.returncode == 0:  # it needed no more room there
            small.assert_done()
        elif stopped.process.returncode not in (1, 3) or not re.search(_NO_ROOM, said) or "a defect" in said:
            wrong.append(f"{place}: {said}")
        left = small.left()
        assert len(left.pop("mounts")) == len(DIRECTORIES) and left == {}, place
        small.assert_whole()
    assert not wrong, "\n".join(wrong)
    small.assert_next_succeeds()
    tried(len(places))


@pytest.mark.parametrize("directory", DIRECTORIES)
def test_a_disk_that_fills_up(directory: str, small: Ground, places: Sequence[str], tried: Tried) -> None:
    """The disk of the work, cache or output directory fills up during a build: the message says so, nothing is left,
    what was published stays, and the next build succeeds.
    """
    started = [place for place in places if (place.startswith("os.fork") and "tree/" in place) or "publish.py" in place]
    fill_at(small, directory, started[DIRECTORIES.index(directory) :: _EACH], tried)


@pytest.mark.thorough
@pytest.mark.parametrize("directory", DIRECTORIES)
def test_a_disk_that_fills_up_anywhere(directory: str, small: Ground, places: Sequence[str], tried: Tried) -> None:
    """The same holds wherever in a build that happens."""
    fill_at(small, directory, few(places), tried)


def test_a_read_only_output(ground: Ground) -> None:
    """A read-only output is told before anything is made."""
    reset(ground)
    script = 'mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && shift && exec "$@"'
    ended = ground.run(within=("unshare", "--mount", "sh", "-c", script, "sh", str(ground.output)))
    assert ended.returncode == 3
    assert f"permission to write to {ground.output}" in ended.stderr
    assert "Fetching" not in ended.stderr
    ground.assert_whole()
