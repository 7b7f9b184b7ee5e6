"""What packages have done many times is done once, and everything that must be is done."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from fuel_image.tree import deferred
from fuel_image.tree.chroot import Chroot
from fuel_image.tree.root import Tree

EVERY = frozenset({"initramfs-tools", "python3-minimal", "openssh-client"})


class Fake(Chroot):
    """A chroot that notes what would be run in it."""

    ran: list[tuple[tuple[str, ...], str]]

    def run(self, *argv: str, stdin: str = "", **_: Any) -> Any:
        self.ran.append((argv, stdin))


@pytest.fixture
def chroot(tmp_path: Path) -> Fake:
    for name in ("run/deferred", "boot", "usr/sbin", "usr/bin"):
        (tmp_path / name).mkdir(parents=True)
    for program in ("sbin/update-initramfs", "bin/py3compile", "bin/ssh-keygen"):
        (tmp_path / "usr" / program).touch()
    fake = Fake(Tree(tmp_path), 60)
    object.__setattr__(fake, "ran", [])
    return fake


def called(chroot: Fake, program: str, *calls: str) -> None:
    (chroot.tree.path / f"run/deferred/{program}.calls").write_text("".join(f"{call}\n" for call in calls))


def kernels(chroot: Fake, *versions: str) -> None:
    for version in versions:
        (chroot.tree.path / f"boot/vmlinuz-{version}").touch()


@pytest.mark.parametrize(
    ("versions", "calls", "run"),
    [
        (["6.1"], [], []),
        (["6.1"], ["-u"], ["-u"]),
        (["6.1"], ["-u", "-u", "-u"], ["-u"]),
        (["6.1"], ["-c -k 6.1"], ["-c -k 6.1"]),
        (["6.1"], ["-c -k 6.1", "-u"], ["-c -k 6.1"]),
        (["6.1"], ["-u", "-c -k 6.1 -b /boot", "-u -k 6.1"], ["-c -k 6.1 -b /boot"]),
        (["6.1", "6.2"], ["-c -k 6.1", "-c -k 6.2", "-u"], ["-c -k 6.1", "-c -k 6.2"]),
        (["6.1", "6.2"], ["-c -k 6.2", "-u", "-u -k all"], ["-c -k 6.2", "-u", "-u -k all"]),
        (["6.1", "6.1-old"], ["-c -k 6.1-old", "-u"], ["-c -k 6.1-old", "-u"]),
        ([], ["-u"], ["-u"]),
    ],
    ids=[
        "nobody asked",
        "an update",
        "an update, often",
        "a new one",
        "a new one covers updates",
        "before it, too",
        "two new ones cover updates",
        "one of two kernels is new: the other needs the update",
        "one of two kernels with names alike",
        "no kernel",
    ],
)
def test_initial_ram_disks_are_made_once(
    versions: Sequence[str], calls: Sequence[str], run: Sequence[str], chroot: Fake
) -> None:
    kernels(chroot, *versions)
    called(chroot, "update-initramfs", *calls)
    deferred.run(chroot)
    assert chroot.ran == [(("update-initramfs", *call.split()), "") for call in run]


def test_modules_are_compiled_once_for_each_package(chroot: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many at once as there are CPUs, each by a shell: the calls were noted with quotes."""
    monkeypatch.setattr(deferred, "cpus", lambda: 3)
    called(chroot, "py3compile", "-p python3-a", "-p python3-b", "-p python3-a -V 3.12-")
    called(chroot, "py3compile", "-p python3-a", "-p python3-b", "-p python3-a")
    deferred.run(chroot)
    ((argv, stdin),) = chroot.ran
    assert argv == ("xargs", "-P", "3", "-d", "\\n", "-I", "{}", "sh", "-c", "py3compile {}")
    assert stdin == "-p python3-a\n-p python3-b"


def test_nothing_is_run_where_nobody_asked(chroot: Fake) -> None:
    deferred.run(chroot)
    assert chroot.ran == []


def test_a_program_that_is_not_in_the_tree_is_not_run(chroot: Fake) -> None:
    for program in ("sbin/update-initramfs", "bin/py3compile"):
        (chroot.tree.path / "usr" / program).unlink()
    kernels(chroot, "6.1")
    called(chroot, "update-initramfs", "-c -k 6.1", "-u")
    called(chroot, "py3compile", "-p python3-a")
    deferred.run(chroot)
    assert chroot.ran == []


def test_programs_of_packages_find_the_stand_ins_first(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    before = Chroot(Tree(tmp_path), 60, "/run/lib.so", {"A": "B"})
    after = deferred.set_up(before, EVERY)
    assert (after.tree, after.preload) == (before.tree, before.preload)
    assert after.environment == {"A": "B", "PATH": deferred.DPKG_PATH}
    assert deferred.DPKG_PATH.split(":")[0] == "/run/deferred"
    assert [(path.name, path.stat().st_mode & 0o777) for path in sorted((tmp_path / "run/deferred").iterdir())] == [
        ("py3compile", 0o755),
        ("ssh-keygen", 0o755),
        ("update-initramfs", 0o755),
    ]


def test_scripts_find_no_program_that_will_not_be_there(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "usr/bin").mkdir(parents=True)
    (tmp_path / "usr/bin/ssh-keygen").touch()
    deferred.set_up(Chroot(Tree(tmp_path), 60), frozenset({"acl", "python3-minimal"}))
    assert {path.name for path in (tmp_path / "run/deferred").iterdir()} == {"py3compile", "ssh-keygen"}
