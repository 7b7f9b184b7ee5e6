"""How much memory there is, and whether it is enough."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from fuel_image.host import kernel, memory

GIB = 1 << 30


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the top of a host with 8 GiB to be had, in no cgroup."""
    (tmp_path / "cgroup").mkdir()
    (tmp_path / "meminfo").write_text(
        f"MemTotal:       {16 << 20} kB\nMemFree:        1000 kB\nMemAvailable:   {8 << 20} kB\nHugePages_Total:   0\n"
    )
    monkeypatch.setattr(memory, "_MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(memory, "_OWN_CGROUP", tmp_path / "own")
    monkeypatch.setattr(memory, "_CGROUPS", tmp_path / "cgroup")
    return tmp_path


def cgroups(host: Path, own: str, groups: Mapping[str, tuple[str, str]]) -> None:
    (host / "own").write_text(own)
    for name, (limit, used) in groups.items():
        group = host / "cgroup" / name
        group.mkdir(parents=True, exist_ok=True)
        (group / "memory.max").write_text(f"{limit}\n")
        (group / "memory.current").write_text(f"{used}\n")


def test_without_cgroups_it_is_the_host_s(host: Path) -> None:
    assert memory.available_bytes() == 8 * GIB
    (host / "own").write_text("0::/\n")
    assert memory.available_bytes() == 8 * GIB


@pytest.mark.parametrize(
    ("own", "groups", "gib"),
    [
        ("0::/a/b\n", {"a/b": (f"{4 * GIB}", f"{GIB}")}, 3),
        ("0::/a/b\n", {"a/b": ("max", f"{GIB}")}, 8),
        ("0::/a/b\n", {"a/b": ("max", "0"), "a": (f"{2 * GIB}", "0")}, 2),
        ("0::/a/b\n", {"a/b": (f"{GIB}", "0"), "a": (f"{6 * GIB}", "0")}, 1),
        ("0::/a/b\n", {"a/b": (f"{6 * GIB}", "0"), "a": (f"{4 * GIB}", f"{3 * GIB}")}, 1),
        ("0::/a\n", {"a": (f"{64 * GIB}", f"{GIB}")}, 8),
        ("0::/a\n", {"a": (f"{GIB}", f"{2 * GIB}")}, 0),
        ("0::/a\n", {"other": (f"{GIB}", "0"), "a/below": (f"{GIB}", "0")}, 8),
        ("0::/\n", {"": (f"{2 * GIB}", f"{GIB}")}, 1),
        ("12:memory:/a\n1:name=systemd:/a\n0::/b\n", {"a": (f"{GIB}", "0"), "b": (f"{3 * GIB}", "0")}, 3),
        ("4:memory:/a\n", {"a": (f"{GIB}", "0")}, 8),
        ("0::/gone (deleted)\n", {}, 8),
        ("0::/a\n", {"a": ("", "0")}, 8),
    ],
    ids=[
        "a limit",
        "no limit",
        "the limit of an outer one",
        "the inner is less",
        "the outer is less",
        "the host has less",
        "more is used than allowed",
        "others' limits",
        "a container's own root",
        "versions 1 and 2",
        "version 1 alone",
        "a cgroup that is gone",
        "no number",
    ],
)
def test_a_cgroup_may_allow_less(own: str, groups: Mapping[str, tuple[str, str]], gib: int, host: Path) -> None:
    cgroups(host, own, groups)
    assert memory.available_bytes() == gib * GIB


@pytest.fixture
def mounts(monkeypatch: pytest.MonkeyPatch) -> list[tuple[object, ...]]:
    """Return what is mounted, while it is."""
    present: list[tuple[object, ...]] = []

    @contextmanager
    def mounted(source: str, target: Path, fstype: str = "", flags: int = 0, options: str = "") -> Iterator[Path]:
        present.append((source, target, fstype, flags, options))
        try:
            yield target
        finally:
            present.pop()

    monkeypatch.setattr(memory, "mounted", mounted)
    return present


@pytest.mark.usefixtures("host")
@pytest.mark.parametrize("needed", [1, GIB, 7 * GIB // 2])
def test_what_has_room_twice_over_lies_in_memory(needed: int, tmp_path: Path, mounts: list[object]) -> None:
    with memory.scratch(tmp_path / "scratch", needed) as directory:
        assert directory == tmp_path / "scratch"
        assert directory.is_dir()
        flags = kernel.MS_NOSUID | kernel.MS_NODEV
        assert mounts == [("tmpfs", directory, "tmpfs", flags, f"mode=0700,size={2 * needed}")]
    assert mounts == []


@pytest.mark.usefixtures("host")
@pytest.mark.parametrize("needed", [7 * GIB // 2 + 1, 4 * GIB, 100 * GIB])
def test_what_has_not_lies_on_the_disk(needed: int, tmp_path: Path, mounts: list[object]) -> None:
    with memory.scratch(tmp_path / "scratch", needed) as directory:
        assert directory.is_dir()
        assert mounts == []


def test_a_cgroup_s_limit_sends_it_to_the_disk(host: Path, mounts: list[object]) -> None:
    cgroups(host, "0::/a\n", {"a": (f"{2 * GIB}", "0")})
    with memory.scratch(host / "scratch", GIB):
        assert mounts == []
    with memory.scratch(host / "small", GIB // 2):
        assert len(mounts) == 1


@pytest.mark.parametrize(("vmstat", "count"), [("pgfault 7\noom_kill 3\n", 3), ("pgfault 7\n", 0)])
def test_programs_that_the_kernel_has_killed(
    vmstat: str, count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "_VMSTAT", tmp_path / "vmstat")
    (tmp_path / "vmstat").write_text(vmstat)
    assert memory.programs_killed() == count
