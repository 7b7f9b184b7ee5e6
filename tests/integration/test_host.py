"""What the host is told, and what it keeps, when a build cannot go on."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

from .conftest import SMALL, Fuel, sample
from .images import output_of


def start(tmp_path: Path, cache_dir: Path) -> tuple[subprocess.Popen[str], Path]:
    """Start a build that takes every step, whatever is kept; return it and its log."""
    request = sample(None, tmp_path / "output", packages=SMALL)
    log = tmp_path / "log"
    argv = [sys.executable, "-m", "fuel_image", "--work-dir", str(tmp_path / "work"), "--cache-dir", str(cache_dir)]
    argv.append("--no-cache")
    argv += ["--log-file", str(log), json.dumps(request)]
    return subprocess.Popen(argv, stderr=subprocess.PIPE, text=True), log


def wait_for(log: Path, text: str) -> None:
    deadline = time.monotonic() + 300
    while not (log.exists() and text in log.read_text()):
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.1)


def test_a_build_that_does_not_heed_a_signal_is_killed() -> None:
    body = (
        "import logging, signal, sys, time; from fuel_image.host import namespaces\n"
        "def deaf():\n"
        "    signal.signal(signal.SIGTERM, lambda *_: None)\n"
        "    print('deaf', flush=True)\n"
        "    while True: time.sleep(1)\n"
        "namespaces._LONGEST_TO_END_SECONDS = 1\n"
        "sys.exit(namespaces.isolated(deaf))\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", body], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as build:
        assert build.stdout is not None and build.stdout.readline() == "deaf\n"
        build.terminate()
        _, said = build.communicate(timeout=60)
    assert build.returncode == 137
    assert "killed by SIGKILL: it did not end within 1 seconds of a signal" in said


def test_what_the_host_unmounts_meanwhile_is_free_at_once(tmp_path: Path, cache_dir: Path) -> None:
    """Where mounts propagate, as systemd has it everywhere, a build keeps no copy of what was there when it began."""
    shared, image = tmp_path / "shared", tmp_path / "image"
    (shared / "point").mkdir(parents=True)
    subprocess.run(["truncate", "-s", "16M", image], check=True)
    subprocess.run(["mke2fs", "-q", image], check=True)
    subprocess.run(["mount", "--bind", shared, shared], check=True)
    try:
        subprocess.run(["mount", "--make-shared", shared], check=True)
        subprocess.run(["mount", "-o", "loop", image, shared / "point"], check=True)
        build, log = start(tmp_path, cache_dir)
        wait_for(log, "Fetching the base system")
        subprocess.run(["umount", shared / "point"], check=True)
        deadline = time.monotonic() + 10  # the kernel frees a loop device a little later
        while str(image) in output_of("losetup", "--list", "--noheadings", "--output", "BACK-FILE"):
            assert time.monotonic() < deadline, "the build keeps it"
            time.sleep(0.1)
        assert build.poll() is None
        build.terminate()
        build.communicate(timeout=60)
    finally:
        subprocess.run(["umount", "-R", shared], check=True)


def test_no_module_is_taken_from_where_the_caller_is(fuel: Fuel, tmp_path: Path) -> None:
    """The program's own processes are Python, too."""
    for name in ("json", "os", "tarfile", "pickle", "fuel_image"):
        (tmp_path / f"{name}.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nraise SystemExit(9)\n")
    program = (str(Path(sys.executable).with_name("fuel-image")),)
    request = sample(None, tmp_path / "output", packages=["libcap2-bin"])
    fuel(request, "--no-cache", program=program, cwd=tmp_path)
    assert not (tmp_path / "ran").exists()


def test_who_lacks_the_privileges_is_told(tmp_path: Path) -> None:
    """Root in a container that is not privileged, and whoever is not root, get the same answer."""
    request = json.dumps(sample(None, tmp_path / "output", packages=[]))
    argv = ["setpriv", "--bounding-set", "-sys_admin", sys.executable, "-m", "fuel_image", request]
    ended = subprocess.run(argv, check=False, stderr=subprocess.PIPE, text=True)
    assert ended.returncode == 3
    assert "entering namespaces of its own: Operation not permitted" in ended.stderr
    assert "run as root" in ended.stderr


def test_every_missing_tool_is_named(tmp_path: Path) -> None:
    request = sample(None, tmp_path / "output", packages=[])
    request["image_data"]["/boot"]["format"] = "xfs"
    script = 'mount --bind /dev/null /usr/sbin/mke2fs; mount --bind /dev/null /usr/sbin/mkfs.xfs; exec "$@"'
    argv = ["unshare", "--mount", "sh", "-c", script, "sh", sys.executable, "-m", "fuel_image", json.dumps(request)]
    ended = subprocess.run(argv, check=False, stderr=subprocess.PIPE, text=True)
    assert ended.returncode == 3
    assert "the program mke2fs (package e2fsprogs); the program mkfs.xfs (package xfsprogs)" in ended.stderr


def test_another_architecture(fuel: Fuel, tmp_path: Path) -> None:
    ended = fuel(sample(None, tmp_path / "output", packages=[], arch="s390x"), expect=3)
    assert "a processor that runs s390x" in ended.stderr


def test_an_output_that_cannot_be_written(fuel: Fuel) -> None:
    ended = fuel(sample(None, Path("/proc/output"), packages=[]), expect=3)
    assert "a directory /proc/output" in ended.stderr
