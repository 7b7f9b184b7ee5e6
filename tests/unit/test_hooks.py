"""Who is told how a build ended, and that nobody who is told can change it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from fuel_image import hooks
from fuel_image.errors import BuildError, CommandError

HOOKS = {"published": ("/bin/tell", "/bin/other"), "failed": ("/bin/mourn",)}
METADATA = Path("/srv/node.yaml")


class Ran:
    """Notes what would be run."""

    def __init__(self, failing: str = "") -> None:
        self.calls: list[tuple[str, Path, Mapping[str, str]]] = []
        self._failing = failing

    def __call__(self, program: str, metadata: Path, *, env: Mapping[str, str], **_: Any) -> None:
        self.calls.append((program, metadata, env))
        if program == self._failing:
            raise CommandError("running a hook: tell ended with exit code 1")


def test_a_set_that_was_published(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    ran = Ran(failing="/bin/tell")
    monkeypatch.setattr(hooks, "run", ran)
    hooks.tell_published(HOOKS, METADATA)
    assert ran.calls == [("/bin/tell", METADATA, {}), ("/bin/other", METADATA, {})]
    assert [(one.levelno, one.getMessage()) for one in caplog.records] == [
        (logging.WARNING, "running a hook: tell ended with exit code 1")
    ]


def test_a_build_that_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    ran = Ran(failing="/bin/mourn")
    monkeypatch.setattr(hooks, "run", ran)
    with pytest.raises(BuildError, match="the reason"), hooks.told_of_failure(HOOKS, METADATA):
        raise BuildError("the reason")
    assert ran.calls == [("/bin/mourn", METADATA, {"FUEL_IMAGE_ERROR": "the reason"})]


def test_no_hooks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hooks, "run", None)
    hooks.tell_published({}, METADATA)
    with hooks.told_of_failure({}, METADATA):
        pass
