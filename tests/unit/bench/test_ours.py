"""The steps of a build as the benchmark reads them."""

from __future__ import annotations

import logging
from pathlib import Path
from types import SimpleNamespace

import pytest

import fuel_image
from bench.ours import EMISSION, OTHER, steps
from fuel_image import progress
from fuel_image.progress import step


def test_steps_are_read_from_what_the_program_says(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "_record", progress._Record())
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: 7.0))
    with caplog.at_level(logging.INFO):
        with step("Installing the 91 packages of the base system") as installing, step("Fetching packages") as fetching:
            installing.started = 0.0
            fetching.started = 1.0
        with step("Making images") as making:
            making.started = 5.0
        logging.getLogger().info("The base system: kept from an earlier build")
    said = tmp_path / "said"
    said.write_text("".join(f"{record.getMessage()}\n" for record in caplog.records))
    assert steps(said, 10.0) == (
        ("Installing the 91 packages of the base system", 7.0),
        ("Making images", 2.0),
        (OTHER, 1.0),
    )


def test_the_steps_of_emission_are_still_named_so() -> None:
    sources = "".join(path.read_text(encoding="utf-8") for path in Path(fuel_image.__file__).parent.rglob("*.py"))
    assert [title for title in EMISSION if f'step("{title}"' not in sources] == []
