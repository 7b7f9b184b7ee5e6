"""Starting other programs.

Owns ``run``, the one place of the package that starts a process, and therefore the only importer of ``sh``. Programs
get separate ``str`` arguments (never a shell), a small environment of their own, an empty standard input unless given
one, and a session of their own, which ends with them: on any exception the whole group is signalled, waited for and
killed. It must not know what the programs do.

sh 1.x and 2.x both serve: they differ in what a foreground call returns, so every call is ``_bg`` and waited for.
"""

from __future__ import annotations

import collections
import contextlib
import functools
import logging
import os
import shutil
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable

import sh

from fuel_image.errors import CommandError, HostError, redact
from fuel_image.host import processes

LOG = logging.getLogger(__name__)

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Where host tools are looked for. Set here because a caller's may be minimal: MCollective's lacks /sbin."""

PACKAGE_PARENT = str(Path(__file__).resolve().parent.parent.parent)
"""What PYTHONPATH must hold for a program that is one of our own modules.

Every program starts here, too: Python looks for modules where ``python -m`` starts, which must not be where the caller
happens to be (``-P``, which keeps it from that, came with 3.11).
"""

TAIL_LINES = 20
_LONGEST_LINE = 2000
_MOST_LOGGED = 16 << 20
_MOST_WANTED = 64 << 20
"""How many characters of one program's output are logged, and how many can be asked for: some say gigabytes."""
_CHUNK_BYTES = 512  # a few lines, so that progress is seen; larger lines are cut, not kept
_SECONDS_TO_END = 10.0


@dataclass(frozen=True)
class Output:
    """What a program said: its exit code and, if it was asked for, its whole standard output."""

    exit_code: int
    text: str


class _Lines:
    """Cuts a stream into lines for the log and keeps the last few.

    Both streams of a program feed one instance, from two threads of sh.
    """

    def __init__(self, label: str, on_line: Callable[[str], None] | None) -> None:
        self._label = label
        self._on_line = on_line
        self._lock = threading.Lock()
        self._rest: dict[str, str] = {"out": "", "err": ""}
        self._to_log = _MOST_LOGGED
        self.tail: collections.deque[str] = collections.deque(maxlen=TAIL_LINES)

    def feed(self, stream: str, chunk: str) -> None:
        with self._lock:
            *lines, rest = (self._rest[stream] + chunk).split("\n")
            self._rest[stream] = rest[-_LONGEST_LINE:]
            for line in lines:
                self._keep(line)

    def finish(self) -> None:
        with self._lock:
            for rest in self._rest.values():
                self._keep(rest)
            self._rest = {"out": "", "err": ""}

    def _keep(self, line: str) -> None:
        # A carriage return redraws a line: what a person would see is what follows the last one.
        line = line.rstrip("\r").rpartition("\r")[2][-_LONGEST_LINE:].rstrip()
        if line:
            line = redact(line)
            self.tail.append(line)
            self._log(line)
            if self._on_line is not None:
                self._on_line(line)

    def _log(self, line: str) -> None:
        if self._to_log > 0:
            self._to_log -= len(line) + 1
            LOG.debug("%s | %s", self._label, line)
            if self._to_log <= 0:
                LOG.warning("%s says more than %d MiB; the rest is not logged", self._label, _MOST_LOGGED >> 20)


class _OverdueError(Exception):
    """A program ran out of time; *running* is what it had started."""

    def __init__(self, running: list[str]) -> None:
        super().__init__()
        self.running = running


_running: dict[int, Any] = {}
_running_lock = threading.Lock()


def find(program: str) -> str | None:
    """Return the path of a host tool, or None."""
    return shutil.which(program, path=PATH)


def run(
    program: str | Path,
    *arguments: str | Path,
    doing: str,
    stdin: str = "",
    env: Mapping[str, str] | None = None,
    timeout_seconds: float | None = None,
    deadline: Callable[[], float] | None = None,
    label: str = "",
    want_output: bool = False,
    accept: tuple[int, ...] = (0,),
    advice: str = "",
    on_line: Callable[[str], None] | None = None,
) -> Output:
    """Run a host program to its end.

    *doing* opens the error message ("making the file system of /boot"). *env* adds to an environment that holds PATH
    and LC_ALL only. *deadline* tells again and again until when, by time.monotonic, the program may go on. *label* is
    its name in messages, where that is not its file's. *accept* lists the exit codes that are no failure. *on_line* is
    told each line of output. Raises CommandError with the tail of the output, HostError when there is no such program.
    """
    path = find(os.fspath(program))
    if path is None:
        raise HostError(
            f"{doing}: the host has no program {program}", advice=f"install the package that holds {program}"
        )
    label = label or Path(path).name
    if timeout_seconds is not None:
        deadline = functools.partial(float, time.monotonic() + timeout_seconds)
    argv = [os.fspath(argument) for argument in arguments]
    LOG.debug("run: %s", redact(" ".join([label, *argv])))
    lines = _Lines(label, on_line)
    whole: list[str] = []
    wanted = _MOST_WANTED if want_output else 0

    def on_stdout(chunk: str) -> None:
        nonlocal wanted
        if wanted > 0:
            whole.append(chunk)
            wanted -= len(chunk)
        lines.feed("out", chunk)

    try:
        code = _execute(path, argv, stdin, env, deadline, on_stdout, lambda chunk: lines.feed("err", chunk))
    except _OverdueError as error:
        lines.finish()
        limit = "in time" if timeout_seconds is None else f"within {timeout_seconds:.0f} seconds"
        message = f"{doing}: {label} did not end {limit}"
        raise CommandError(message, advice=advice, tail=lines.tail, running=error.running) from None
    lines.finish()
    if code not in accept:
        raise CommandError(
            f"{doing}: {label} {ending(code)}", exit_code_of_command=code, advice=advice, tail=lines.tail
        )
    if want_output and wanted <= 0:
        message = f"{doing}: {label} says more than {_MOST_WANTED >> 20} MiB"
        raise CommandError(message, exit_code_of_command=code, advice=advice, tail=lines.tail)
    return Output(code, "".join(whole))


def interactive(program: str, *arguments: str | Path, env: Mapping[str, str]) -> int:
    """Give this process's terminal to a host program until it ends; return its exit code. For the main thread only."""
    before = signal.signal(signal.SIGINT, lambda *_: None)  # Ctrl-C is the program's
    try:
        argv = [program, *(os.fspath(argument) for argument in arguments)]
        environment = [f"{name}={value}" for name, value in {"PATH": PATH, **env}.items()]
        # sh 1.x takes nothing else together with _fg, so env(1) sets the rest.
        try:
            sh.Command("/usr/bin/env")("-C", PACKAGE_PARENT, "-i", *environment, *argv, _fg=True)
        except sh.ErrorReturnCode as error:
            return int(error.exit_code)
        return 0
    finally:
        signal.signal(signal.SIGINT, before)


def ending(code: int) -> str:
    """Say how a program ended; a negative *code* is that of a signal."""
    if code >= 0:
        return f"ended with exit code {code}"
    name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
    return f"was killed by {name}" + (" (out of memory?)" if name == "SIGKILL" else "")


def _execute(
    path: str,
    argv: list[str],
    stdin: str,
    env: Mapping[str, str] | None,
    deadline: Callable[[], float] | None,
    on_stdout: Any,
    on_stderr: Any,
) -> int:
    """Start the program, wait, and return its exit code. Raises _OverdueError."""
    process = sh.Command(path)(
        *argv,
        _bg=True,
        _bg_exc=False,
        _in=os.fsencode(stdin),  # it may hold the names of files
        _out=on_stdout,
        _err=on_stderr,
        _out_bufsize=_CHUNK_BYTES,
        _err_bufsize=_CHUNK_BYTES,
        _tty_out=False,
        _new_session=True,
        _cwd=PACKAGE_PARENT,
        _encoding="utf-8",
        _decode_errors="replace",
        _env={"PATH": PATH, "LC_ALL": "C.UTF-8", **(env or {})},
        _ok_code=list(range(-64, 256)),
    )
    with _running_lock:
        _running[id(process)] = process
    try:
        with _in_time(process, deadline) if deadline else contextlib.nullcontext():
            return _waited(process)
    except BaseException:
        _end(process)
        raise
    finally:
        with _running_lock:
            _running.pop(id(process), None)


@contextmanager
def _in_time(process: Any, deadline: Callable[[], float]) -> Iterator[None]:
    """End the process of the block if it still runs when its *deadline* is over, wherever that is by then.

    It is watched from a thread: sh looks ten times a second at what it waits for with a time-out, which would make
    every short program a long one. Raises _OverdueError.
    """
    done = threading.Event()
    overdue: list[list[str]] = []

    def watch() -> None:
        while (seconds := deadline() - time.monotonic()) > 0:
            if done.wait(seconds):
                return
        overdue.append(processes.below(process.pid))
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                process.signal_group(number)
            if done.wait(_SECONDS_TO_END):
                return

    watching = threading.Thread(target=watch, daemon=True)
    watching.start()
    try:
        yield
    finally:
        done.set()
        watching.join()
    if overdue:
        raise _OverdueError(overdue[0])


def _waited(process: Any, timeout_seconds: float | None = None) -> int:
    """Wait for a process and return its exit code; sh 1.x raises for a death by signal, whatever is declared as ok."""
    try:
        process.wait(timeout_seconds)
    except sh.ErrorReturnCode as error:
        return int(error.exit_code)
    return int(process.exit_code)


def _end(process: Any) -> None:
    """Signal the group of a process, give it a while, kill what is left of it."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            process.signal_group(number)
            _waited(process, _SECONDS_TO_END)
            return
        except sh.TimeoutException:
            continue
        except ProcessLookupError:
            return


def end_running() -> None:
    """Ask every program that ``run`` has started in any thread to end; their callers get a CommandError."""
    with _running_lock:
        processes = list(_running.values())
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            process.signal_group(signal.SIGTERM)
