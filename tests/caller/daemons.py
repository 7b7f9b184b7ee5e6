"""Daemons that run in the foreground for the length of a block and leave nothing running."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

SYSTEM_PATH = "/bin:/usr/bin:/sbin:/usr/sbin"


@contextmanager
def running(argv: Sequence[str], environment: Mapping[str, str], log: Path) -> Iterator[None]:
    """Run a program as the first of a PID namespace, in a mount namespace of its own; end all that it started.

    They end as well when this process is killed.
    """
    apart = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    with log.open("wb") as output:
        daemon = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", *apart, *argv],
            env=dict(environment),
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield
    finally:
        # The first process of the namespace ends only when the kernel has ended all others of it.
        children = Path(f"/proc/{daemon.pid}/task/{daemon.pid}/children").read_text().split()
        with contextlib.suppress(ProcessLookupError):
            for child in children:
                os.kill(int(child), signal.SIGKILL)
        daemon.wait(timeout=60)


def free_ports(count: int) -> list[int]:
    """Return ports of the loopback address that nobody listens on."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]
