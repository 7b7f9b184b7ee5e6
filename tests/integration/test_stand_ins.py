"""The scripts that stand in for programs, run by the shell that maintainer scripts have."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

import pytest

from fuel_image.tree import deferred
from fuel_image.tree.chroot import Chroot
from fuel_image.tree.root import Tree
from tests.unit.tree.test_deferred import EVERY


class Scripts:
    """The stand-ins in a directory of their own: paths in them are moved there; real programs say that they ran."""

    def __init__(self, top: Path) -> None:
        self._top = top
        for name in ("run", "usr/sbin", "usr/bin", "etc/kernel/postinst.d", "boot/grub"):
            (top / name).mkdir(parents=True)
        deferred.set_up(Chroot(Tree(top), 60), EVERY)
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
            [" ".join(shlex.split(line)) for line in one.read_text().splitlines()] if one.exists() else []
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


@pytest.mark.parametrize("arguments", ["-f /etc/tunnel/key -t rsa", "-l -f /etc/ssh/moduli", "-A", ""])
def test_any_other_key_is(arguments: str, scripts: Scripts) -> None:
    assert scripts.call("ssh-keygen", *arguments.split()) == (7, [], [arguments])


def test_a_question_about_a_host_key_gets_no_false_answer(scripts: Scripts) -> None:
    """Debian's postinst prints the fingerprint of the key that it has made: of none there is none to print."""
    assert scripts.call("ssh-keygen", "-l", "-f", "/etc/ssh/ssh_host_rsa_key.pub") == (0, [], [])


def test_what_is_put_off_keeps_its_quotes(scripts: Scripts, tmp_path: Path) -> None:
    arguments = ["-p", "a b", "-X", ".*(foo|bar).py", "it's", "'", "$HOME `x`", ""]
    scripts.call("py3compile", *arguments)
    (noted,) = (tmp_path / "run/deferred/py3compile.calls").read_text().splitlines()
    said = subprocess.run(["/bin/sh", "-c", f"printf '%s\\n' {noted}"], check=True, stdout=subprocess.PIPE, text=True)
    assert said.stdout.splitlines() == arguments
