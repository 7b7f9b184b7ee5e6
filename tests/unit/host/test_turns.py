"""One at a time makes a thing; the next is told, waits, and leaves nothing either."""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path

import pytest

from fuel_image.errors import HostError
from fuel_image.host.turns import turn

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


def test_many_never_meet(tmp_path: Path) -> None:
    """Whoever waits for a file that its holder removes must not hold a lock that nobody else sees."""
    inside: list[int] = []
    met: list[int] = []

    def body() -> None:
        for _ in range(50):
            with turn(tmp_path, Path("/output/node.yaml")):
                inside.append(1)
                met.append(len(inside))
                inside.pop()

    threads = [threading.Thread(target=body) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_SECONDS)
    assert met == [1] * 400
    assert list(tmp_path.iterdir()) == []


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
