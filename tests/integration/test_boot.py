"""Machines that start in a moment: their disks hold a boot sector of ours, which says a few words and stops or ends."""

from __future__ import annotations

import gzip
import hashlib
import json
import lzma
import os
import signal
import struct
import subprocess
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import pexpect
import pytest
import zstandard

from .conftest import PROGRAM

Run = subprocess.CompletedProcess[str]
PATIENCE_SECONDS = 120
DISK_BYTES = 2 << 20
PROMPT = "starting\r\nnode-1 login: "
_WRITE = bytes.fromhex("fc31c08ed8be207cbaf803ac84c07403eeebf8")
"""Say what lies at 0x7c20: cld; xor ax,ax; mov ds,ax; mov si,0x7c20; mov dx,0x3f8; lodsb; test al,al; jz; out; jmp."""
STOP = bytes.fromhex("f4ebfd")
"""hlt, for ever."""
POWER_OFF = bytes.fromhex("ba0406b80020ef")
"""mov dx,0x604; mov ax,0x2000; out dx,ax: the sleep of ACPI from which only power wakes; q35 has its register there."""
_TEXT_PLACE = 0x20


def disk(said: str, end: bytes = STOP) -> bytes:
    """Return a disk whose boot sector says something on the serial console and then does what *end* says."""
    code = (_WRITE + end).ljust(_TEXT_PLACE, b"\xf4") + said.encode() + b"\0"
    return code.ljust(510, b"\0") + b"\x55\xaa" + bytes(DISK_BYTES - 512)


def boot(target: Path, *options: str, expect: int = 0) -> Run:
    argv = [*PROGRAM, "boot", "--work-dir", str(target.parent / "work"), *options, str(target)]
    ended = subprocess.run(
        argv, check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE_SECONDS
    )
    assert ended.returncode == expect, ended.stderr
    assert list((target.parent / "work").glob("*")) == []
    return ended


def converted(raw: Path, form: str) -> Path:
    """Return the disk in a form, under a name that tells nothing."""
    target = raw.with_name(f"disk-{form}-of-no-kind")
    subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", form, raw, target], check=True)
    return target


def test_it_is_shown_until_it_ends(tmp_path: Path) -> None:
    (tmp_path / "disk").write_bytes(disk("hello\r\n\x1b[31mworld\x1b[0m\x07\r\n", POWER_OFF))
    assert boot(tmp_path / "disk").stdout == "hello\nworld\\x07\n"


@pytest.mark.parametrize("form", ["raw", "qcow2", "vmdk", "vhdx", "vdi"])
def test_every_form_is_known_by_its_content(form: str, tmp_path: Path) -> None:
    (tmp_path / "raw").write_bytes(disk("hello\r\n", POWER_OFF))
    assert boot(converted(tmp_path / "raw", form)).stdout.startswith("hello\n")


@pytest.mark.parametrize("pack", [gzip.compress, lzma.compress, zstandard.ZstdCompressor().compress])
def test_every_container(pack: Callable[[bytes], bytes], tmp_path: Path) -> None:
    (tmp_path / "disk").write_bytes(pack(disk("hello\r\n", POWER_OFF)))
    assert boot(tmp_path / "disk").stdout.startswith("hello\n")


def test_a_check_of_a_machine_without_cloud_init(tmp_path: Path) -> None:
    target = tmp_path / "disk"
    target.write_bytes(disk(PROMPT))
    before = target.stat()
    first, second, last = boot(target, "--check").stdout.splitlines()
    assert (first, second) == ("starting", "node-1 login: ")
    assert last.startswith("disk: it came to a login prompt; nothing is seen of cloud-init; ")
    assert (target.stat().st_mtime_ns, target.read_bytes()) == (before.st_mtime_ns, disk(PROMPT))


@pytest.mark.parametrize(
    ("said", "end", "options", "message"),
    [
        ("[FAILED] Failed to start a.service - A.\r\n" + PROMPT, STOP, (), "Failed to start a.service - A."),
        ("starting\r\n", POWER_OFF, (), "it came to no login prompt; it ended by itself"),
        ("starting\r\n", STOP, ("--timeout", "2"), "it came to no login prompt; it took too long"),
        ("Kernel panic - not syncing: x\r\n", STOP, (), "it stopped at: Kernel panic - not syncing: x"),
        ("[1] cloud-init[5]: Cloud-init v. 26.2\r\n" + PROMPT, STOP, ("--timeout", "2"), "cloud-init did not finish"),
    ],
)
def test_a_check_that_finds_something(
    said: str, end: bytes, options: tuple[str, ...], message: str, tmp_path: Path
) -> None:
    (tmp_path / "disk").write_bytes(disk(said, end))
    error = boot(tmp_path / "disk", "--check", *options, expect=1).stderr
    assert message in error
    assert f"    | {said.splitlines()[0]}\n" in error


def test_a_report_counts(tmp_path: Path) -> None:
    text = json.dumps({"state": "degraded", "failed": ["a.service"], "cloud_init": "done", "errors": []})
    report = f"fuel-image reports: {zlib.crc32(text.encode()):08x} {text}\r\n"
    (tmp_path / "disk").write_bytes(disk(f"{report}{PROMPT}"))
    assert "units failed: a.service" in boot(tmp_path / "disk", "--check", expect=1).stderr


def test_a_screenshot_is_a_picture_of_the_screen(tmp_path: Path) -> None:
    (tmp_path / "disk").write_bytes(disk(PROMPT))
    boot(tmp_path / "disk", "--screenshot", str(tmp_path / "screen.png"))
    assert colours(tmp_path / "screen.png") > 1
    boot(tmp_path / "disk", "--screenshot", str(tmp_path / "absent/screen.png"), expect=3)


def colours(picture: Path) -> int:
    """Return how many different bytes a PNG has in its lines, which must be whole: one alone is a black screen."""
    content = picture.read_bytes()
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    place, packed = 8, b""
    while place < len(content):
        length, kind = struct.unpack(">I4s", content[place : place + 8])
        body = content[place + 8 : place + 8 + length]
        assert zlib.crc32(kind + body) == int.from_bytes(content[place + 8 + length : place + 12 + length], "big")
        packed += body if kind == b"IDAT" else b""
        place += 12 + length
    return len(set(zlib.decompress(packed)))


def test_uefi_finds_nothing_to_start(tmp_path: Path) -> None:
    """By BIOS it would start: so it is the firmware that was asked for."""
    (tmp_path / "disk").write_bytes(disk(PROMPT))
    assert "it stopped at: UEFI" in boot(tmp_path / "disk", "--uefi", "--check", expect=1).stderr


def test_a_disk_that_needs_another_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "disk").write_bytes(disk(PROMPT))
    form = ("-f", "qcow2", "-F", "raw")
    subprocess.run(["qemu-img", "create", "-q", *form, "-b", tmp_path / "disk", tmp_path / "above"], check=True)
    assert f"it is not whole: it needs {tmp_path}/disk" in boot(tmp_path / "above", expect=1).stderr


def test_what_is_no_disk_is_refused(tmp_path: Path) -> None:
    (tmp_path / "disk").write_bytes(bytes(DISK_BYTES))
    assert "it is no whole disk" in boot(tmp_path / "disk", expect=1).stderr


def set_with(directory: Path, content: bytes, sha256: str) -> Path:
    """Write a record, as another program might, of a disk with a digest."""
    (directory / "node.raw").write_bytes(content)
    artifact = {
        "kind": "disk",
        "name": "node.raw",
        "format": "raw",
        "container": "raw",
        "md5": "-",
        "size": len(content),
    }
    found = {"os": {"name": "Debian", "major": 12, "minor": 0}, "packages": [], "repos": [], "images": []}
    (directory / "node.yaml").write_text(json.dumps({**found, "artifacts": [{**artifact, "sha256": sha256}]}))
    return directory / "node.yaml"


def test_the_digest_of_a_set_is_compared(tmp_path: Path) -> None:
    content = disk(PROMPT)
    boot(set_with(tmp_path, content, hashlib.sha256(content).hexdigest()), "--check")
    error = boot(set_with(tmp_path, content, "0" * 64), "--check", expect=1).stderr
    assert "node.raw has the SHA-256 " in error


def test_a_file_that_changes_meanwhile_is_noticed(tmp_path: Path) -> None:
    target = tmp_path / "disk"
    target.write_bytes(disk(PROMPT))
    argv = [*PROGRAM, "boot", "--check", "--work-dir", str(tmp_path / "work"), str(target)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "starting\n"
        with target.open("r+b") as file:
            file.seek(-1, os.SEEK_END)
            file.write(b"\1")
        _, error = child.communicate(timeout=PATIENCE_SECONDS)
    assert child.returncode == 1
    assert "the machine has changed its files" in error


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)])
def test_nothing_is_left_however_it_ends(number: signal.Signals, code: int, tmp_path: Path) -> None:
    """Besides what ``host_as_it_was`` sees: the emulator's command line names the work directory."""
    (tmp_path / "disk").write_bytes(disk("starting\r\n"))
    argv = [*PROGRAM, "boot", "--work-dir", str(tmp_path / "work"), str(tmp_path / "disk")]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as child:
        try:
            assert child.stdout is not None
            assert child.stdout.readline() == "starting\n"
            assert emulators(tmp_path)
            child.send_signal(number)
            child.wait(PATIENCE_SECONDS)
        finally:
            child.kill()
    assert child.returncode == code
    deadline = time.monotonic() + PATIENCE_SECONDS
    while emulators(tmp_path) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert emulators(tmp_path) == []
    if number != signal.SIGKILL:
        assert list((tmp_path / "work").iterdir()) == []


def emulators(workspace: Path) -> list[str]:
    """Return the command lines of the emulators that work in a directory."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            line = (process / "cmdline").read_text(errors="replace")
        except OSError:
            continue
        if line.partition("\0")[0].endswith("qemu-system-x86_64") and str(workspace) in line:
            found.append(line)
    return found


def test_on_a_terminal_the_console_is_the_user_s(tmp_path: Path) -> None:
    (tmp_path / "disk").write_bytes(disk(PROMPT))
    argv = ["-m", "fuel_image", "boot", "--work-dir", str(tmp_path / "work"), str(tmp_path / "disk")]
    child = pexpect.spawn(PROGRAM[0], argv, timeout=PATIENCE_SECONDS, encoding="utf-8")
    child.expect("Ctrl-A X ends the machine")
    child.expect("login: ")
    child.sendintr()  # is the machine's
    child.send("\x01c")
    child.expect(r"\(qemu\)")
    child.send("\x01x")
    child.expect(pexpect.EOF)
    child.wait()
    assert child.exitstatus == 0
    assert list((tmp_path / "work").iterdir()) == []


def test_what_this_host_lacks_is_named_before_anything_is_made(tmp_path: Path) -> None:
    (tmp_path / "disk").write_bytes(disk(PROMPT))
    argv = [*PROGRAM, "boot", "--check", "--work-dir", str(tmp_path / "work"), str(tmp_path / "disk")]
    hidden = "; ".join(f"mount --bind /dev/null {path}" for path in ("/usr/bin/mcopy", "/usr/bin/qemu-system-x86_64"))
    shell = f'{hidden}; exec "$0" "$@"'
    ended = subprocess.run(
        ["unshare", "--mount", "sh", "-c", shell, *argv], check=False, capture_output=True, text=True
    )
    assert ended.returncode == 3
    for words in ("qemu-system-x86_64 (package qemu-system-x86)", "mcopy (package mtools)"):
        assert words in ended.stderr
    assert not (tmp_path / "work").exists()
