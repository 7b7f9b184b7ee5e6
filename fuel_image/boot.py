"""The boot: from an artifact to what becomes of a machine that has it.

This page is all of it, in order. It must not know how any step is done.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fuel_image.errors import BuildError, HostError
from fuel_image.host import files, preflight
from fuel_image.host.command import interactive
from fuel_image.host.cpus import cpus
from fuel_image.host.workspace import workspace
from fuel_image.machine import accelerator, assembly, firmware, medium, qemu, report, running, subject, verdict
from fuel_image.machine.qemu import Machine
from fuel_image.machine.running import ENDED, Running
from fuel_image.machine.subject import Subject
from fuel_image.progress import step

_MOST_CPUS = 4
_READABLE_BY_ALL = 0o644
_LONGEST_SECONDS = 900.0
"""How long a machine may take to be what it is checked for; a large one that is emulated takes minutes."""


@dataclass(frozen=True)
class Wish:
    """What is asked for: to *check* the machine, to have a *screenshot*, or to see what it says until it ends.

    *timeout_seconds* is None for the default: some minutes with a check or a screenshot, otherwise no limit.
    """

    uefi: bool = False
    check: bool = False
    screenshot: Path | None = None
    timeout_seconds: float | None = None

    @property
    def ends_by_itself(self) -> bool:
        """Tell whether it needs nobody to end the machine."""
        return self.check or self.screenshot is not None

    @property
    def deadline(self) -> float:
        """Until when, by time.monotonic(), a machine that starts now may run."""
        default = _LONGEST_SECONDS if self.ends_by_itself else math.inf
        return time.monotonic() + (default if self.timeout_seconds is None else self.timeout_seconds)


def watched(target: Path, wish: Wish, work_dir: Path, show: Callable[[str], object]) -> tuple[str, ...]:
    """Boot what *target* names, and *show* what it says; return what was found of it.

    Raises BuildError when it is not as it should be.
    """
    booted = _examined(target, wish)
    with workspace(work_dir) as work:
        before = _recorded(booted) if wish.check else {}
        machine = _machine(booted, wish, work)
        with step(f"Running {booted.name}"), running.started(machine, work, show) as one:
            problems = _problems(one, booted, wish, work)
        console = one.console
        if wish.check and subject.digests(booted) != before:
            problems = (*problems, "the machine has changed its files")
    if problems:
        tail = () if console.report else console.tail  # a report says it all
        raise BuildError(f"booting {booted.name}: {'; '.join(problems)}", tail=tail)
    return verdict.merits(console) if wish.check else ()


def attended(target: Path, wish: Wish, work_dir: Path) -> int:
    """Boot what *target* names, and give the terminal to it; return the exit code of the emulator."""
    booted = _examined(target, wish)
    with workspace(work_dir) as work:
        arguments = (*qemu.arguments(_machine(booted, wish, work)), *qemu.ATTENDED)
        return interactive(qemu.PROGRAM, *arguments, env=running.environment(work))


def _examined(target: Path, wish: Wish) -> Subject:
    """Return what is to be booted, when this host has all that it takes."""
    found = subject.examined(target)
    lacks = [f"UEFI firmware (package {firmware.PACKAGE})"] if wish.uefi and firmware.found() is None else []
    preflight.check_tools((qemu.PROGRAM, *found.tools, *(report.TOOLS if wish.check else ())), lacks)
    if wish.screenshot is not None and not os.access(wish.screenshot.parent, os.W_OK):
        raise HostError(f"this host lacks permission to write to {wish.screenshot.parent}, or there is none")
    return found


def _recorded(booted: Subject) -> dict[Path, str]:
    """Return the digests of all files, which must be those of their record."""
    before = subject.digests(booted)
    altered = subject.altered(booted, before)
    if altered:
        raise BuildError(f"booting {booted.name}: {'; '.join(altered)}", advice="build the set anew")
    return before


def _machine(booted: Subject, wish: Wish, work: Path) -> Machine:
    """Return the machine, with everything that it starts from in *work*."""
    if booted.disk is not None:
        drive, kernel = medium.recognised(booted.disk, work), None
    else:
        drive, kernel = assembly.assembled(booted.images, work)
    return Machine(
        accelerator=accelerator.chosen(work),
        cpus=min(cpus(), _MOST_CPUS),
        drives=(drive, report.seed(work)) if wish.check else (drive,),
        firmware=firmware.copied(work) if wish.uefi else None,
        kernel=kernel,
        reboots=not wish.ends_by_itself,
    )


def _problems(one: Running, booted: Subject, wish: Wish, work: Path) -> tuple[str, ...]:
    """Look at a machine for as long as it takes; return what is wrong with it."""
    console, deadline, known = one.console, wish.deadline, booted.has_cloud_init
    if not wish.ends_by_itself:
        stopped = one.listen(lambda _: False, deadline)
        return () if stopped == ENDED else (stopped,)
    stopped = one.listen(lambda silent: console.prompted or verdict.is_hopeless(console, silent), deadline)
    if wish.screenshot is not None and stopped != ENDED:
        _picture(one, wish.screenshot, work)
    if wish.check and not stopped:
        stopped = one.listen(lambda silent: verdict.is_known(console, silent, cloud_init=known), deadline)
    if wish.check:
        return verdict.problems(console, stopped, cloud_init=known)
    return () if console.prompted else verdict.missing_prompt(console, stopped)


def _picture(one: Running, file: Path, work: Path) -> None:
    """Write what is on the screen to *file*, whole or not at all."""
    screen = work / "screen.png"
    one.monitor.write_screen(screen)
    with files.appearing(file) as target:
        target.write(screen.read_bytes())
        os.fchmod(target.fileno(), _READABLE_BY_ALL)
