"""Whether a machine that was watched is as it should be.

Owns the judgement, from what the console said: pure. It must not watch.
"""

from __future__ import annotations

from collections.abc import Iterator

from fuel_image.machine.console import Console
from fuel_image.machine.report import Report

_SILENT_SECONDS = 10.0
"""How long a machine without cloud-init, at its login prompt, says nothing when it is done."""
_SAID_SECONDS = 2.0
_DONE = "done"
_RUNNING = "running"


def is_hopeless(console: Console, silent_seconds: float) -> bool:
    """Tell whether a machine does not start and has said why, which may go on in the line after it is known."""
    return console.hopeless is not None and silent_seconds >= _SAID_SECONDS


def is_known(console: Console, silent_seconds: float, *, cloud_init: bool) -> bool:
    """Tell whether all is seen that will be: *cloud_init* tells whether the machine is known to have it."""
    if is_hopeless(console, silent_seconds):
        return True
    if not console.prompted:
        return False
    if console.report is not None:
        return True
    return not (cloud_init or console.names_cloud_init) and silent_seconds >= _SILENT_SECONDS


def merits(console: Console) -> tuple[str, ...]:
    """Return what is right with a machine in which there are no problems."""
    cloud_init = "nothing is seen of cloud-init" if console.report is None else "cloud-init is done"
    return ("it came to a login prompt", cloud_init, "no unit failed", "its files have not changed")


def problems(console: Console, stopped: str, *, cloud_init: bool) -> tuple[str, ...]:
    """Return what is wrong with a machine; *stopped* is why nobody looked until all was known, if so."""
    return (*missing_prompt(console, stopped), *_of_system(console, cloud_init=cloud_init))


def missing_prompt(console: Console, stopped: str) -> tuple[str, ...]:
    """Return why a machine did not come as far as it should, of which a login prompt is the first."""
    if console.hopeless is not None:
        stopped = f"it stopped at: {console.hopeless}"
    missing = () if console.prompted else ("it came to no login prompt",)
    return (*missing, stopped) if stopped else missing


def _of_system(console: Console, *, cloud_init: bool) -> Iterator[str]:
    if console.report is not None:
        yield from _of_report(console.report)
        return
    if cloud_init or console.names_cloud_init:
        yield "cloud-init did not finish"
    yield from console.failures


def _of_report(report: Report) -> Iterator[str]:
    if report.failed:
        yield f"units failed: {', '.join(report.failed)}"
    elif report.state != _RUNNING:
        yield f"the system is {report.state or 'in no state'}"
    if report.cloud_init != _DONE or report.errors:
        errors = f" ({'; '.join(report.errors)})" if report.errors else ""
        yield f"cloud-init ended as {report.cloud_init or 'nothing'}{errors}"
