"""The memory that a build may use.

Owns the measure of it, whether it has run out, and the decision whether a file lies in memory or on the disk. It must
not hold anything itself.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fuel_image.host import kernel
from fuel_image.host.mounts import mounted

LOG = logging.getLogger(__name__)

_LEFT_FOR_OTHERS_BYTES = 1 << 30
_MEMINFO = Path("/proc/meminfo")
_VMSTAT = Path("/proc/vmstat")
_OWN_CGROUP = Path("/proc/self/cgroup")
_CGROUPS = Path("/sys/fs/cgroup")


def available_bytes() -> int:
    """Return how much memory can be had without swapping: the host's (proc_meminfo(5)), or less if a cgroup says so."""
    lines = _MEMINFO.read_text(encoding="ascii").splitlines()
    fields = dict(line.split(":", 1) for line in lines)
    host = int(fields["MemAvailable"].split()[0]) << 10
    return min([host, *_cgroup_headroom_bytes()])


def _cgroup_headroom_bytes() -> Iterator[int]:
    """Give what is left of the limit of each cgroup (version 2) that we are in, from the innermost out."""
    entry = next((line for line in _text(_OWN_CGROUP).splitlines() if line.startswith("0::/")), "")
    inside = _CGROUPS / entry[len("0::/") :]
    for group in (inside, *inside.parents):
        limit, used = _text(group / "memory.max").strip(), _text(group / "memory.current").strip()
        if limit.isdigit() and used.isdigit():
            yield max(0, int(limit) - int(used))


def programs_killed() -> int:
    """Return how many programs the kernel has ended for lack of memory, on this host or in a cgroup, since it started.

    Linux 4.13 and later count them, in proc_vmstat(5): oom_kill. Where nobody counts, there is none.
    """
    counts = dict(line.split(" ", 1) for line in _text(_VMSTAT).splitlines())
    return int(counts.get("oom_kill", 0))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""


@contextmanager
def scratch(directory: Path, needed_bytes: int) -> Iterator[Path]:
    """Make *directory* for files that take *needed_bytes*: in memory if it has room for them twice over, else on disk.

    A build that needs more than it said is stopped at twice as much, not by the kernel's killing somebody.
    """
    directory.mkdir()
    available = available_bytes()
    if available < 2 * needed_bytes + _LEFT_FOR_OTHERS_BYTES:
        LOG.debug("%s is on the disk: it needs %d bytes, and memory has %d", directory, needed_bytes, available)
        yield directory
        return
    flags = kernel.MS_NOSUID | kernel.MS_NODEV
    with mounted("tmpfs", directory, "tmpfs", flags, f"mode=0700,size={2 * needed_bytes}"):
        yield directory
