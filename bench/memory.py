"""Peak memory of fuel-image's own processes.

Owns the watching of a process and its descendants. Only those that run the program's Python count: apt, dpkg and
mke2fs in the tree take what they take for everybody. Nor does what lies in a tmpfs, as images may while they are made:
it is in the share of no process (proc_pid_smaps(5)). It must not start or end anything.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path

from bench.measure import Failed

_SAMPLE_SECONDS = 0.5  # looking takes time too, from what is measured
_PROC = Path("/proc")


class Watch:
    """Peaks in bytes: of the one largest process as the kernel kept it, and of all at once, shared pages once."""

    def __init__(self) -> None:
        self.largest_bytes = 0
        self.all_bytes = 0

    @property
    def peak_bytes(self) -> int:
        """The greater of both: a sum that is sampled may miss a peak that the kernel has seen. Raises Failed."""
        peak = max(self.largest_bytes, self.all_bytes)
        if not peak:
            raise Failed("watching memory: no process of fuel-image was seen")
        return peak

    def look(self, pid: int) -> None:
        """Take one sample of *pid* and its descendants."""
        total = 0
        for process in _descendants(pid):
            if not _is_ours(process):
                continue
            with contextlib.suppress(OSError):
                self.largest_bytes = max(self.largest_bytes, _field(process / "status", "VmHWM"))
                total += _field(process / "smaps_rollup", "Pss")
        self.all_bytes = max(self.all_bytes, total)


@contextlib.contextmanager
def watched(pid: int) -> Iterator[Watch]:
    """Sample a process for the length of the block."""
    watch, done = Watch(), threading.Event()

    def sample() -> None:
        while not done.wait(_SAMPLE_SECONDS):
            watch.look(pid)

    thread = threading.Thread(target=sample, daemon=True)
    thread.start()
    try:
        yield watch
    finally:
        done.set()
        thread.join()


def _descendants(pid: int) -> Iterator[Path]:
    process = _PROC / str(pid)
    yield process
    with contextlib.suppress(OSError):
        for children in process.glob("task/*/children"):
            for child in children.read_text().split():
                yield from _descendants(int(child))


def _is_ours(process: Path) -> bool:
    """Tell whether a process is Python that runs a module of fuel_image, or a fork of one."""
    try:
        program, *arguments = (process / "cmdline").read_text(errors="replace").split("\0")
    except OSError:
        return False
    return "python" in program.rpartition("/")[2] and any(one.split(".")[0] == "fuel_image" for one in arguments)


def _field(path: Path, name: str) -> int:
    """Return a field in kB of a file below /proc, in bytes."""
    for line in path.read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) << 10
    return 0
