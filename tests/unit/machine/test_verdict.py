"""Which machines are well."""

from __future__ import annotations

import pytest

from fuel_image.machine import verdict
from fuel_image.machine.console import Console
from fuel_image.machine.report import Report

WELL = Report("running", (), "done", ())


def at_prompt(report: Report | None = None) -> Console:
    console = Console(lambda _: None)
    console.prompted = True
    console.report = report
    return console


def test_a_machine_that_is_well() -> None:
    console = at_prompt(WELL)
    assert verdict.is_known(console, 0, cloud_init=True)
    assert verdict.problems(console, "", cloud_init=True) == ()


@pytest.mark.parametrize(
    ("report", "named"),
    [
        (Report("degraded", ("a.service", "b.mount"), "done", ()), "a.service, b.mount"),
        (Report("maintenance", (), "done", ()), "maintenance"),
        (Report("running", (), "error", ()), "error"),
        (Report("running", (), "done", ("no such user",)), "no such user"),
    ],
)
def test_what_a_report_tells_of(report: Report, named: str) -> None:
    (problem,) = verdict.problems(at_prompt(report), "", cloud_init=True)
    assert named in problem


def test_cloud_init_is_waited_for_where_it_is_known_or_heard_of() -> None:
    assert not verdict.is_known(at_prompt(), 1e9, cloud_init=True)
    console = at_prompt()
    console.names_cloud_init = True
    assert not verdict.is_known(console, 1e9, cloud_init=False)
    assert "cloud-init did not finish" in verdict.problems(console, "it took too long", cloud_init=False)


def test_without_cloud_init_the_console_tells_when_it_is_silent() -> None:
    console = at_prompt()
    assert not verdict.is_known(console, 0, cloud_init=False)
    assert verdict.is_known(console, 60, cloud_init=False)
    assert verdict.problems(console, "", cloud_init=False) == ()
    console.failures.append("Failed to start a.service")
    assert verdict.problems(console, "", cloud_init=False) == ("Failed to start a.service",)


def test_no_prompt() -> None:
    console = Console(lambda _: None)
    assert "it came to no login prompt" in verdict.problems(console, "it took too long", cloud_init=False)
    console.hopeless = "grub rescue>"
    assert verdict.is_known(console, 0, cloud_init=True)
    assert any("grub rescue>" in one for one in verdict.problems(console, "", cloud_init=False))
