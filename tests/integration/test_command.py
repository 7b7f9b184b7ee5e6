"""Starting programs, for real and with whichever sh is installed."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from fuel_image.errors import CommandError, HostError
from fuel_image.host import command
from fuel_image.host.command import run


def runs(pid_file: Path) -> bool:
    """Tell whether a process lives; one that nobody has waited for yet does not."""
    try:
        return Path(f"/proc/{pid_file.read_text().strip()}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_output_and_exit_code() -> None:
    assert run("printf", "%s", "a\nb", doing="testing", want_output=True).text == "a\nb"
    assert run("sh", "-c", "exit 3", doing="testing", accept=(0, 3)).exit_code == 3


def test_a_failure_says_what_was_being_done_and_ends_with_the_tail() -> None:
    script = "i=0; while [ $i -lt 100 ]; do echo line $i; i=$((i+1)); done; echo the cause >&2; exit 7"
    with pytest.raises(CommandError) as caught:
        run("sh", "-c", script, doing="making it")
    assert caught.value.message == "making it: sh ended with exit code 7"
    assert len(caught.value.tail) == command.TAIL_LINES
    assert {"line 99", "the cause"} <= set(caught.value.tail)


def test_the_tail_of_wanted_output_is_not_lost() -> None:
    with pytest.raises(CommandError, match="nothing is well"):
        run("sh", "-c", "echo nothing is well; exit 1", doing="testing", want_output=True)


def test_input_is_empty_unless_given() -> None:
    assert run("cat", doing="testing", want_output=True, timeout_seconds=10).text == ""
    assert run("cat", doing="testing", want_output=True, stdin="x" * 200_000).text == "x" * 200_000


def test_the_environment_is_ours() -> None:
    os.environ["FUEL_IMAGE_TEST_SECRET"] = "x"
    text = run("env", doing="testing", want_output=True, env={"MORE": "1"}).text
    names = {line.partition("=")[0] for line in text.splitlines()}
    assert {"PATH", "LC_ALL", "MORE"} <= names and "FUEL_IMAGE_TEST_SECRET" not in names


def test_there_is_no_terminal() -> None:
    assert run("sh", "-c", "test -t 0 || test -t 1 || test -t 2", doing="testing", accept=(1,)).exit_code == 1


def test_a_missing_program_is_the_host_s_fault() -> None:
    with pytest.raises(HostError, match="the host has no program no-such-program"):
        run("no-such-program", doing="testing")


def test_odd_output_is_harmless(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        run("printf", r"\377\0\033[31mred\r50%%\r100%% {} %%s\n", doing="testing")
    assert "printf | 100% {} %s" in caplog.text


def test_a_line_without_an_end_does_not_fill_the_memory() -> None:
    with pytest.raises(CommandError) as caught:
        run("sh", "-c", "head -c 30000000 /dev/zero | tr '\\0' x; exit 1", doing="testing")
    assert all(len(line) <= 2000 for line in caught.value.tail)


def test_time_out_ends_the_whole_group(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    with pytest.raises(CommandError, match="did not end within 1 seconds"):
        run("sh", "-c", f"sleep 1000 & echo $! > {pid}; wait", doing="testing", timeout_seconds=1)
    assert not runs(pid)


def test_an_exception_in_the_caller_ends_the_program(tmp_path: Path) -> None:
    class Stop(BaseException):
        pass

    def stop(*_: object) -> None:
        raise Stop

    old = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, 0.5)
    try:
        with pytest.raises(Stop):
            run("sh", "-c", f"echo $$ > {tmp_path}/pid; exec sleep 1000", doing="testing")
    finally:
        signal.signal(signal.SIGALRM, old)
    assert not runs(tmp_path / "pid")


def test_other_threads_programs_can_be_ended() -> None:
    errors: list[BaseException] = []

    def body() -> None:
        try:
            run("sleep", "1000", doing="sleeping")
        except CommandError as error:
            errors.append(error)

    thread = threading.Thread(target=body)
    thread.start()
    deadline = time.monotonic() + 10
    while thread.is_alive() and time.monotonic() < deadline:
        command.end_running()
        time.sleep(0.05)
    thread.join(10)
    assert "was killed by SIGTERM" in str(errors[0])


def test_the_terminal_is_given_away_with_an_environment_and_a_place() -> None:
    """In a process of its own: what is given away here is what pytest holds."""
    body = (
        "import signal; from fuel_image.host import command; "
        "command.interactive('/bin/sh', '-c', 'echo $FRUIT $HOME; pwd; exit 3', env={'FRUIT': 'a pear'}); "
        "assert signal.getsignal(signal.SIGINT) is signal.default_int_handler"
    )
    ended = subprocess.run([sys.executable, "-c", body], check=True, stdout=subprocess.PIPE, text=True)
    assert ended.stdout.splitlines() == ["a pear", command.PACKAGE_PARENT]
