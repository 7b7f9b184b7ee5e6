"""Time of what is run.

Owns the starting, timing and ending of programs: a list of stages of shell in one private place, and single programs.
It must not know what is measured.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

NEVER_WAIT_LONGER_SECONDS = 3600
_TAIL_LINES = 15
_MARK = 9  # the descriptor on which the shell tells that a stage begins

Stages = tuple[tuple[str, float], ...]


class Failed(Exception):
    """A program that is measured did not end well; the message says which and how."""


@dataclass(frozen=True)
class Stage:
    """One step of a pipeline: a name, and the shell commands that do it."""

    name: str
    script: str


def tail(log: Path) -> str:
    """Return the last lines of a log."""
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-_TAIL_LINES:])


def run_stages(stages: Sequence[Stage], environment: Mapping[str, str], directory: Path, log: Path) -> Stages:
    """Run *stages* one after another and return the seconds of each. Raises Failed.

    They share a mount and a process namespace: whatever they mount, attach or start ends with them.
    """
    marked = [f"echo {shlex.quote(stage.name)} >&{_MARK}\n{stage.script}" for stage in stages]
    script = "\n".join(["set -euo pipefail", *marked])
    shell = f'exec {_MARK}>&1 1>&2; eval "$1"'  # programs that talk must not talk into the marks
    argv = [
        "unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child", "--mount-proc",
        "bash", "-c", shell, "bench", script,
    ]  # fmt: skip
    marks: list[tuple[str, float]] = []
    # unshare and the first process of a namespace let SIGTERM pass by.
    with log.open("ab") as output, started(argv, environment, directory, output, signal.SIGKILL) as process:
        assert process.stdout is not None
        for line in process.stdout:
            marks.append((line.decode().strip(), time.monotonic()))
        code = process.wait()
        ends = [moment for _, moment in marks[1:]] + [time.monotonic()]
    if code != 0:
        raise Failed(f"{marks[-1][0] if marks else 'starting'} (exit code {code}):\n{tail(log)}")
    return tuple((name, end - begin) for (name, begin), end in zip(marks, ends))


@contextlib.contextmanager
def started(
    argv: Sequence[str],
    environment: Mapping[str, str],
    directory: Path,
    errors: IO[bytes],
    ending: signal.Signals = signal.SIGTERM,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program beside the block; if the block is left before it has ended, end it with all that it started."""
    process = subprocess.Popen(
        list(argv),
        cwd=directory,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=errors,
        start_new_session=True,
    )
    overdue = threading.Timer(NEVER_WAIT_LONGER_SECONDS, lambda: _end(process, ending))
    overdue.daemon = True
    overdue.start()
    try:
        with process:
            try:
                yield process
            finally:
                _end(process, ending)
    finally:
        overdue.cancel()


def _end(process: subprocess.Popen[bytes], ending: signal.Signals) -> None:
    for number in (ending, signal.SIGKILL):
        if process.poll() is not None:
            return
        with contextlib.suppress(ProcessLookupError, subprocess.TimeoutExpired):
            os.killpg(process.pid, number)
            process.wait(timeout=60)
