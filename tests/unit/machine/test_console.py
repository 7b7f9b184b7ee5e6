"""What is recognised in what a machine says, however it comes."""

from __future__ import annotations

import json
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuel_image.machine.console import Console
from fuel_image.machine.report import Report, parsed, user_data

REPORT = json.dumps({"state": "degraded", "failed": ["a.service"], "cloud_init": "done", "errors": []})
LINE = f"fuel-image reports: {zlib.crc32(REPORT.encode()):08x} {REPORT}"
SAID = (
    "\x1b[0m[\x1b[0;31mFAILED\x1b[0m] Failed to start \x1b[0;1;39ma.service\x1b[0m - A.\r\n"
    f"Cloud-init v. 24.4 running\r\n{LINE}\r\nUbuntu 24.04 LTS node ttyS0\r\n\r\nnode login: "
).encode()


def heard(*chunks: bytes) -> tuple[Console, str]:
    shown: list[str] = []
    console = Console(shown.append)
    for chunk in chunks:
        console.feed(chunk)
    return console, "".join(shown)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 4096])
def test_pieces_of_any_size(size: int) -> None:
    console, shown = heard(*(SAID[start : start + size] for start in range(0, len(SAID), size)))
    assert console.prompted
    assert console.failures == ["Failed to start a.service - A."]
    assert console.names_cloud_init
    assert console.report == Report("degraded", ("a.service",), "done", ())
    assert console.tail[-1] == "node login: "
    assert "\x1b" not in shown


@pytest.mark.parametrize("said", [b"Last login: Mon", b"login: ", b"a line that ends in node login:", b"node log"])
def test_no_prompt(said: bytes) -> None:
    assert not heard(b"x\r\n" + said)[0].prompted


@pytest.mark.parametrize(
    "said",
    [b"Kernel panic - not syncing: VFS", b"(initramfs) ", b"grub rescue> ", b"You are in emergency mode."],
)
def test_what_no_machine_comes_back_from(said: bytes) -> None:
    assert heard(b"before\r\n", said)[0].hopeless == said.decode().strip()


def test_little_is_kept_of_much() -> None:
    console, _ = heard(*[b"x" * 65536] * 20, b"\r\n", *[b"line\r\n"] * 1000, *[b"[FAILED] Failed\r\n"] * 1000)
    assert len(console.tail) <= 21
    assert len(console.failures) <= 20
    assert max(map(len, console.tail)) <= 4000


@given(st.lists(st.binary(max_size=40), max_size=20))
def test_odd_bytes_are_shown_as_what_no_terminal_obeys(chunks: list[bytes]) -> None:
    _, shown = heard(*chunks)
    assert all(one.isprintable() or one in "\n\t" for one in shown if ord(one) < 0xA0)


def test_a_report_with_something_amid_it_is_none() -> None:
    assert parsed(LINE.replace("degraded", "deg[ 12.3] eth0: up raded")) is None
    assert parsed(LINE) is not None


@pytest.mark.parametrize("content", ["{}", "{}}", '{"state": 1, "failed": 3, "cloud_init": "", "errors": []}'])
def test_a_report_that_another_made_is_none(content: str) -> None:
    assert parsed(f"fuel-image reports: {zlib.crc32(content.encode()):08x} {content}") is None


def test_the_user_data_wait_in_the_background() -> None:
    said = user_data()
    assert said.startswith("#cloud-config\n")
    assert "--no-block" in said
