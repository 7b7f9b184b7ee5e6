"""An interrupt ends a build, but not in the middle of what nobody could go on from."""

from __future__ import annotations

import errno
import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from fuel_image import ending
from fuel_image.errors import BuildError, Interrupted
from fuel_image.host import memory
from fuel_image.publish import reveal_set, staged

PATIENCE_SECONDS = 10


@pytest.fixture(autouse=True)
def signals_as_they_were() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize(
    ("number", "advice"), [(errno.ENOSPC, "free space"), (errno.EIO, "check the disk"), (errno.EACCES, "run as root")]
)
def test_what_the_host_is_to_blame_for(number: int, advice: str, caplog: pytest.LogCaptureFixture) -> None:
    def body() -> int:
        raise OSError(number, os.strerror(number), "/srv/cache")

    assert ending.guarded(body) == 3
    assert f"writing /srv/cache: {os.strerror(number)}\n  what to do: {advice}" in caplog.text


@pytest.mark.parametrize(("after", "said"), [(7, False), (8, True)])
def test_programs_killed_meanwhile(
    after: int, said: bool, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = iter([7, after])
    monkeypatch.setattr(memory, "programs_killed", lambda: next(counts))

    def body() -> int:
        raise BuildError("unpacking: unexpected end of file")

    assert ending.guarded(body) == 1
    assert ("unexpected end of file\n  meanwhile the kernel ended a program for lack of memory" in caplog.text) == said


def test_ctrl_c_is_told_however_early(caplog: pytest.LogCaptureFixture) -> None:
    def body() -> int:
        raise KeyboardInterrupt

    assert ending.guarded(body) == 130
    assert "interrupted by signal 2" in caplog.text


def test_any_other_error_is_a_defect_of_ours(caplog: pytest.LogCaptureFixture) -> None:
    def body() -> int:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))

    assert ending.guarded(body) == 1
    assert "a defect of fuel-image" in caplog.text


def test_a_signal_is_an_exception() -> None:
    with pytest.raises(Interrupted) as caught:
        ending._interrupt(signal.SIGTERM, sys._getframe())
    assert caught.value.exit_code == 143


def test_while_something_is_logged_it_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """logging takes its locks before the block that lets them go."""
    sent, heard = [], threading.Event()

    def kill(_pid: int, number: int) -> None:
        sent.append(number)
        heard.set()

    class Interrupting(logging.Handler):
        def emit(self, _record: logging.LogRecord) -> None:
            ending._interrupt(signal.SIGTERM, sys._getframe())

    monkeypatch.setattr(os, "kill", kill)
    logger = logging.Logger("test")
    logger.addHandler(Interrupting())
    logger.info("something")
    assert heard.wait(PATIENCE_SECONDS)
    assert sent == [signal.SIGTERM]


def test_a_signal_that_comes_while_a_set_is_published_is_sent_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    again = threading.Event()
    monkeypatch.setattr(os, "kill", lambda _pid, _number: again.set())
    monkeypatch.setattr(os, "fsync", lambda _file: ending._interrupt(signal.SIGTERM, sys._getframe()))
    with staged(tmp_path, "image") as image, staged(tmp_path, "meta.yaml") as metadata:
        reveal_set(tmp_path, [image], metadata)
    assert again.wait(PATIENCE_SECONDS)
    assert sorted(os.listdir(tmp_path)) == ["image", "meta.yaml"]
