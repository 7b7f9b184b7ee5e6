"""What packages have done many times is done once, and everything that must be is done."""

from __future__ import annotations

import subprocess
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
    fake = Fake(Tree(tmp_path))
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


def test_modules_are_compiled_once_for_each_package(chroot: Fake) -> None:
    called(chroot, "py3compile", "-p python3-a", "-p python3-b", "-p python3-a -V 3.12-")
    called(chroot, "py3compile", "-p python3-a", "-p python3-b", "-p python3-a")
    deferred.run(chroot)
    ((argv, stdin),) = chroot.ran
    assert argv[0] == "xargs"
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
    before = Chroot(Tree(tmp_path), "/run/lib.so", {"A": "B"})
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
    deferred.set_up(Chroot(Tree(tmp_path)), frozenset({"acl", "python3-minimal"}))
    assert {path.name for path in (tmp_path / "run/deferred").iterdir()} == {"py3compile", "ssh-keygen"}


class Scripts:
    """The stand-ins in a directory of their own: paths in them are moved there; real programs say that they ran."""

    def __init__(self, top: Path) -> None:
        self._top = top
        for name in ("run", "usr/sbin", "usr/bin", "etc/kernel/postinst.d", "boot/grub"):
            (top / name).mkdir(parents=True)
        deferred.set_up(Chroot(Tree(top)), EVERY)
        for path in (top / "run/deferred").iterdir():
            text = path.read_text()
            for place in ("/run/deferred", "/usr/", "/etc/kernel/", "/boot/"):
                text = text.replace(f" {place}", f" {top}{place}")
            path.write_text(text)
        for program in ("sbin/update-initramfs", "bin/ssh-keygen"):
            path = top / "usr" / program
            path.write_text(f'#!/bin/sh\nprintf "%s\\n" "$*" >> {top}/ran\nexit 7\n')
            path.chmod(0o755)

    def hooks(self, *names: str) -> None:
        for name in names:
            (self._top / "etc/kernel/postinst.d" / name).touch()

    def grub(self) -> None:
        (self._top / "boot/grub/grub.cfg").touch()

    def call(self, name: str, *arguments: str) -> tuple[int, list[str], list[str]]:
        """Call a stand-in; return its exit code, what was noted, and how the real program was called."""
        path = self._top / "run/deferred" / name
        ended = subprocess.run(["/bin/sh", str(path), *arguments], check=False, env={"PATH": "/usr/bin:/bin"})
        noted, ran = (
            one.read_text().splitlines() if one.exists() else []
            for one in (path.with_suffix(".calls"), self._top / "ran")
        )
        return ended.returncode, noted, ran


@pytest.fixture
def scripts(tmp_path: Path) -> Scripts:
    return Scripts(tmp_path)


@pytest.mark.parametrize("arguments", ["-u", "-u -k all", "-c -k 6.1", "-c -t -k 6.1 -b /boot"])
def test_making_an_initial_ram_disk_is_put_off(arguments: str, scripts: Scripts) -> None:
    scripts.hooks(
        "initramfs-tools", "zz-update-grub", "xx-update-initrd-links", "unattended-upgrades", "zz-systemd-boot.dpkg-new"
    )
    assert scripts.call("update-initramfs", *arguments.split()) == (0, [arguments], [])


def test_without_hooks_too(scripts: Scripts) -> None:
    assert scripts.call("update-initramfs", "-u") == (0, ["-u"], [])


@pytest.mark.parametrize("arguments", ["-d -k 6.1", "-h", "", "-k 6.1 -c"])
def test_what_else_it_may_do_is_done_at_once(arguments: str, scripts: Scripts) -> None:
    assert scripts.call("update-initramfs", *arguments.split()) == (7, [], [arguments])


@pytest.mark.parametrize("hook", ["zz-flash-kernel", "zz-extlinux", "grub", "initramfs-tools2"])
def test_a_hook_that_may_want_the_disk_has_it_made_at_once(hook: str, scripts: Scripts) -> None:
    scripts.hooks("initramfs-tools", hook)
    assert scripts.call("update-initramfs", "-c", "-k", "6.1") == (7, [], ["-c -k 6.1"])


def test_grub_wants_it_once_it_has_a_configuration(scripts: Scripts) -> None:
    scripts.hooks("zz-update-grub")
    scripts.grub()
    assert scripts.call("update-initramfs", "-u") == (7, [], ["-u"])


def test_compiling_is_put_off_and_noted_each_time(scripts: Scripts) -> None:
    scripts.call("py3compile", "-p", "python3-a")
    assert scripts.call("py3compile", "-p", "python3-b", "-V", "3.12-") == (
        0,
        ["-p python3-a", "-p python3-b -V 3.12-"],
        [],
    )


@pytest.mark.parametrize("kind", ["rsa", "ecdsa", "ed25519"])
def test_a_host_key_is_not_made(kind: str, scripts: Scripts) -> None:
    arguments = ("-q", "-f", f"/etc/ssh/ssh_host_{kind}_key", "-N", "", "-t", kind)
    assert scripts.call("ssh-keygen", *arguments) == (0, [], [])


@pytest.mark.parametrize("arguments", ["-f /root/.ssh/id -t rsa", "-l -f /etc/ssh/moduli", "-A", ""])
def test_any_other_key_is(arguments: str, scripts: Scripts) -> None:
    assert scripts.call("ssh-keygen", *arguments.split()) == (7, [], [arguments])


def test_a_question_about_a_host_key_gets_no_false_answer(scripts: Scripts) -> None:
    """Debian's postinst prints the fingerprint of the key that it has made: of none there is none to print."""
    assert scripts.call("ssh-keygen", "-l", "-f", "/etc/ssh/ssh_host_rsa_key.pub") == (0, [], [])
