"""Keeping the build apart from the host.

Owns ``isolated``, which runs a function as the first process of a PID namespace, and ``make_private``, with which that
process enters mount, IPC and UTS namespaces. When that
process ends, however it ends, the kernel kills everything it started and drops everything it mounted, so even
``kill -9`` leaves no process, mount or loop device behind. It must not know what it runs.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Callable

from fuel_image.errors import HostError
from fuel_image.host import kernel

LOG = logging.getLogger(__name__)

_LONGEST_TO_END_SECONDS = 60
_OOM_SCORE = Path("/proc/self/oom_score_adj")  # proc_pid_oom_score_adj(5)
_MORE_LIKELY_TO_BE_KILLED = "500"
_NEVER_KILLED = "-1000"
_FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def isolated(body: Callable[[], int]) -> int:
    """Run *body* in a child in namespaces of its own and return its exit code.

    SIGINT, SIGTERM and SIGHUP reach the child, which is killed if it does not end in a while after that; a child
    killed by signal N, which could not say so itself, gives 128+N, as in a shell.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        kernel.unshare(kernel.CLONE_NEWPID)
    except OSError as error:
        raise _no_namespaces(error) from error
    parent_end, child_end = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(child_end)
        os._exit(_first_process(body, parent_end))
    os.close(parent_end)  # child_end stays open until we end: the child sees its closing as our death
    _stay()

    reason = " (out of memory?)"

    def forward(number: int, _frame: FrameType | None) -> None:
        os.kill(child, number)
        signal.alarm(_LONGEST_TO_END_SECONDS)

    def kill(_number: int, _frame: FrameType | None) -> None:
        nonlocal reason
        reason = f": it did not end within {_LONGEST_TO_END_SECONDS} seconds of a signal"
        os.kill(child, signal.SIGKILL)

    signal.signal(signal.SIGALRM, kill)

    for number in _FORWARDED:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, forward)
    _, status = os.waitpid(child, 0)
    os.close(child_end)
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        name = signal.Signals(-code).name
        reason = reason if code == -signal.SIGKILL else ""
        LOG.error("the build was killed by %s%s\n  what to do: the next one removes its files", name, reason)
    return code if code >= 0 else 128 - code


def _stay() -> None:
    """Survive a lack of memory, to say what came of the build: what it had in memory goes a while after itself."""
    with contextlib.suppress(PermissionError):  # a container may forbid it
        _OOM_SCORE.write_text(_NEVER_KILLED, encoding="ascii")


def _first_process(body: Callable[[], int], parent_end: int) -> int:
    """Be the child: tie its life to the parent's, run *body*."""
    code = 1
    try:
        kernel.die_with_parent(signal.SIGKILL)
        os.set_blocking(parent_end, False)
        try:
            if os.read(parent_end, 1) == b"":
                return code  # the parent died before it was tied to us
        except BlockingIOError:
            pass
        # Where memory runs out the kernel ends a build rather than what the host is for.
        _OOM_SCORE.write_text(_MORE_LIKELY_TO_BE_KILLED, encoding="ascii")
        code = body()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return code


def make_private() -> None:
    """Move this process, the first of its PID namespace, into mount, IPC and UTS namespaces. Raises HostError."""
    try:
        kernel.unshare(kernel.CLONE_NEWNS | kernel.CLONE_NEWIPC | kernel.CLONE_NEWUTS)
        # What we mount stays here. What the host unmounts goes here too: its devices would be busy until we end.
        kernel.mount("none", "/", flags=kernel.MS_REC | kernel.MS_SLAVE)
        kernel.mount("proc", "/proc", "proc", kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC)
    except OSError as error:
        raise _no_namespaces(error) from error


def _no_namespaces(error: OSError) -> HostError:
    return HostError(
        f"entering namespaces of its own: {error.strerror}",
        advice="run as root, in a container with --privileged (CAP_SYS_ADMIN)",
    )
