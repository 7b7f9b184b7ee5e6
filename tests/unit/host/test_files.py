"""Files that several builds share appear whole, and the oldest go first."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from fuel_image.errors import Interrupted
from fuel_image.host.files import appearing, held, keep_newest, locked

from ..conftest import AfterNextLock


@pytest.mark.parametrize(
    "taken_away", [Path.unlink, lambda path: path.rename(path.with_name("renamed"))], ids=["removed", "renamed"]
)
def test_the_lock_of_a_file_that_has_lost_its_name_is_none(
    taken_away: Callable[[Path], object], after_next_lock: AfterNextLock, tmp_path: Path
) -> None:
    """Whoever waits for a file that its holder removes must not hold a lock that nobody else sees."""
    path = tmp_path / "lock"
    after_next_lock(lambda: taken_away(path))
    with held(path, 0o600):
        assert path.exists()
        with pytest.raises(BlockingIOError), locked(path, wait=False):
            pass
    with locked(path, wait=False):
        pass


def test_who_waits_is_asked_again_and_again_and_may_give_up(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    answers = [False, True, True]
    with held(path, 0o600):
        with pytest.raises(InterruptedError), held(path, 0o600, answers.pop):
            pass
        assert answers == []


def test_a_file_appears_whole(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file"
    with appearing(path) as file:
        file.write(b"whole")
        assert not path.exists()
    assert path.read_bytes() == b"whole"
    assert list(path.parent.iterdir()) == [path]


def test_a_failure_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with pytest.raises(ValueError, match="full"), appearing(path) as file:
        file.write(b"half")
        raise ValueError("full")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_newest_are_kept(tmp_path: Path) -> None:
    for age, name in enumerate(("a", "b", "c")):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (1000 - age, 1000 - age))
    keep_newest(tmp_path, 2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]
    keep_newest(tmp_path / "missing", 2)


def test_a_signal_when_a_file_has_its_name_is_no_defect(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replace = os.replace

    def interrupted(source: str, target: Path) -> None:
        replace(source, target)
        raise Interrupted(15)

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(Interrupted), appearing(tmp_path / "file") as file:
        file.write(b"whole")
    assert os.listdir(tmp_path) == ["file"]
