"""The log file: every line has its time, no secret, and nothing that came before the file was known is lost."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from fuel_image import log
from fuel_image.milestones import Milestone, reached

ASTUTE_DATE = re.compile(r"^\d{4}-\d{2}-\d{2}\s\d{2}:\d{2}:\d{2}")
"""As in the pattern 'provisioning-image-building' of Astute's log parser."""
LOG = logging.getLogger("test")


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    root = logging.getLogger()
    before = root.handlers, root.level, logging.raiseExceptions
    log.set_up()
    yield
    for handler in root.handlers:
        handler.close()
    root.handlers, logging.raiseExceptions = before[0], before[2]
    root.setLevel(before[1])


def test_every_line_begins_with_its_time(tmp_path: Path) -> None:
    LOG.debug("early")
    log.to_file(tmp_path / "log")
    LOG.error("one\n  two\n")
    for milestone in Milestone:
        reached(milestone)
    lines = (tmp_path / "log").read_text().splitlines()
    assert [line.partition(" test ")[2] for line in lines[:3]] == ["early", "one", "  two"]
    assert all(ASTUTE_DATE.match(line) for line in lines)
    for milestone, line in zip(Milestone, lines[4:]):
        assert milestone.value in line


def test_milestones_are_for_the_file(capsys: pytest.CaptureFixture[str]) -> None:
    reached(Milestone.BEGUN)
    LOG.info("said")
    assert capsys.readouterr().err == "said\n"


def test_no_credentials(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log.to_file(tmp_path / "log")
    LOG.warning("fetching %s", "http://user:s3cret@mirror.example.org/")
    assert "s3cret" not in (tmp_path / "log").read_text() + capsys.readouterr().err


def test_data_is_no_format(tmp_path: Path) -> None:
    log.to_file(tmp_path / "log")
    LOG.info("%s", "100 %s of 50 %")
    assert "100 %s of 50 %" in (tmp_path / "log").read_text()
