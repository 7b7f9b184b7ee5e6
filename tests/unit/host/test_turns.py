"""One at a time makes a thing; the next is told, waits, and leaves nothing either."""

from __future__ import annotations

import fcntl
import logging
import threading
import time
from pathlib import Path

import pytest

from fuel_image.errors import HostError
from fuel_image.host.turns import turn

from ..conftest import AfterNextLock

PATIENCE_SECONDS = 10


def test_the_second_waits_and_says_so_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    order: list[str] = []

    def second() -> None:
        with turn(tmp_path, Path("/output/node.yaml")):
            order.append("second")

    thread = threading.Thread(target=second)
    with caplog.at_level(logging.INFO), turn(tmp_path, Path("/output/node.yaml")):
        thread.start()
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not caplog.records and time.monotonic() < deadline:
            time.sleep(0.01)
        order.append("first")
    thread.join(PATIENCE_SECONDS)
    assert order == ["first", "second"]
    assert [record.getMessage() for record in caplog.records] == ["waiting for another build of /output/node.yaml"]
    assert list(tmp_path.iterdir()) == []


def test_who_comes_when_the_one_before_is_done_has_a_turn_that_others_see(
    after_next_lock: AfterNextLock, tmp_path: Path
) -> None:
    after_next_lock(lambda: next(tmp_path.iterdir()).unlink())
    with turn(tmp_path, Path("/output/node.yaml")):
        assert len(list(tmp_path.iterdir())) == 1
    assert list(tmp_path.iterdir()) == []


def test_who_waits_long_is_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    flock, taken = fcntl.flock, ["still", "still", "still"]

    def lock(descriptor: int, operation: int) -> None:
        if taken:
            raise BlockingIOError(taken.pop())
        flock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", lock)
    with caplog.at_level(logging.INFO), turn(tmp_path, Path("/output/node.yaml")):
        pass
    assert taken == []
    assert [record.getMessage() for record in caplog.records] == ["waiting for another build of /output/node.yaml"]


def test_another_thing_does_not_wait(tmp_path: Path) -> None:
    with turn(tmp_path, Path("/output/one.yaml")), turn(tmp_path, Path("/output/other.yaml")):
        assert len(list(tmp_path.iterdir())) == 2


def test_another_way_to_the_same_directory_is_the_same(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    with turn(tmp_path / "locks", tmp_path / "node.yaml"):
        (held,) = (tmp_path / "locks").iterdir()
    with turn(tmp_path / "locks", tmp_path / "link/node.yaml"):
        assert list((tmp_path / "locks").iterdir()) == [held]


def test_what_a_killed_build_left_is_no_obstacle(tmp_path: Path) -> None:
    with turn(tmp_path, Path("/output/node.yaml")):
        (left,) = tmp_path.iterdir()
    left.touch()
    with turn(tmp_path, Path("/output/node.yaml")):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_block_that_fails_gives_its_turn_back(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), turn(tmp_path, Path("/output/node.yaml")):
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(HostError, match="--work-dir"), turn(tmp_path / "file/below", Path("/output/node.yaml")):
        pass
