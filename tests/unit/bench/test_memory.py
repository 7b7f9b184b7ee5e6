"""The memory of our own processes among those of others."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import memory
from bench.measure import Failed
from bench.memory import Watch

MIB = 1 << 20


@pytest.fixture
def proc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(memory, "_PROC", tmp_path)
    return tmp_path


def process(proc: Path, pid: int, argv: str, peak_mib: int, share_mib: int, *children: int) -> None:
    """Make what the kernel shows of a process: its highest use, its share now, and its children."""
    (proc / f"{pid}/task/{pid}").mkdir(parents=True, exist_ok=True)
    (proc / f"{pid}/cmdline").write_text("\0".join([*argv.split(), ""]))
    (proc / f"{pid}/status").write_text(f"Name:\tx\nVmPeak:\t 9999999 kB\nVmHWM:\t {peak_mib << 10} kB\n")
    (proc / f"{pid}/smaps_rollup").write_text(f"Rss:\t 9999999 kB\nPss:\t {share_mib << 10} kB\n")
    (proc / f"{pid}/task/{pid}/children").write_text(" ".join(str(child) for child in children))


def test_our_own_processes_count_and_no_other(proc: Path) -> None:
    process(proc, 1, "/usr/bin/python3 -m fuel_image request.json", 60, 50, 2, 3)
    process(proc, 2, "/usr/bin/dpkg --configure fuel_image", 900, 900, 4)
    process(proc, 3, "python3 -m another_program", 900, 900)
    process(proc, 4, "python3.11 -m fuel_image.tree.unpack tree", 40, 30)
    watch = Watch()
    watch.look(1)
    assert watch.peak_bytes == (50 + 30) * MIB
    process(proc, 1, "/usr/bin/python3 -m fuel_image request.json", 60, 10, 2, 3)
    watch.look(1)
    assert watch.peak_bytes == (50 + 30) * MIB


def test_a_peak_between_two_samples_is_one(proc: Path) -> None:
    process(proc, 1, "python3 -m fuel_image request.json", 90, 50)
    watch = Watch()
    watch.look(1)
    assert watch.peak_bytes == 90 * MIB


def test_a_watch_that_saw_nothing_of_ours_has_failed(proc: Path) -> None:
    process(proc, 1, "python3 -m another_program", 900, 900)
    watch = Watch()
    watch.look(1)
    with pytest.raises(Failed, match="no process of fuel-image"):
        _ = watch.peak_bytes
