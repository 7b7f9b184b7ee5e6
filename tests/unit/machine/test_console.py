"""A console, whatever comes over it and however it is cut."""

from __future__ import annotations

import pytest

from fuel_image.machine.console import TAIL_LINES, Console

PROMPT = b"\r\nUbuntu 24.04.5 LTS node-1 ttyS0\r\n\r\nnode-1 login: "


def fed(*chunks: bytes) -> tuple[Console, str]:
    """Return a console that was fed, and what it showed."""
    shown: list[str] = []
    console = Console(shown.append)
    for chunk in chunks:
        console.feed(chunk)
    return console, "".join(shown)


def in_pieces(said: bytes, size: int) -> list[bytes]:
    return [said[place : place + size] for place in range(0, len(said), size)]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_a_prompt_is_found_however_it_is_cut(size: int) -> None:
    console, shown = fed(*in_pieces(b"[  OK  ] Started getty\r\n" + PROMPT, size))
    assert console.prompted
    assert shown == "[  OK  ] Started getty\nUbuntu 24.04.5 LTS node-1 ttyS0\nnode-1 login: "
    assert console.tail == ("[  OK  ] Started getty", "Ubuntu 24.04.5 LTS node-1 ttyS0", "node-1 login: ")


def test_a_prompt_that_the_kernel_goes_on_behind() -> None:
    assert fed(b"node-1 login: [  35.2] cloud-init[5]: Cloud-init v. 26.2\r\n")[0].prompted


@pytest.mark.parametrize(
    "said", [b"node-1 login:", b"Last login: Mon Nov 23\r\n", b"a failed login: root\r\n", b"login: \r\n", b"log in: "]
)
def test_what_is_no_prompt(said: bytes) -> None:
    assert not fed(said)[0].prompted


@pytest.mark.parametrize(
    "said",
    [
        b"\x1b[0;1;39mnode-1\x1b[0m login: ",
        b"\x1b[2J\x1b[01;01Hnode-1 login: ",
        b"\x1b]0;a title\x07node-1 login: ",
        b"\x1b]0;a title\x1b\\node-1 login: ",
        b"\x1bPq data\x1b\\node-1 login: ",
        b"\x1bc\x1b(B\x1b=node-1 login: ",
        b"\x1b[?25h\x00node-1 login: ",
    ],
)
@pytest.mark.parametrize("size", [1, 1000])
def test_sequences_of_a_terminal_are_left_out(said: bytes, size: int) -> None:
    console, shown = fed(*in_pieces(said, size))
    assert console.prompted
    assert shown == "node-1 login: "


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (b"\x1b[\r\nnode-1 login: ", "\\x1b[\nnode-1 login: "),
        (b"\x1b]0;no end\r\nnode-1 login: ", "\\x1b]0;no end\nnode-1 login: "),
        (b"\xff\xfe \x07\x9b\r\nnode-1 login: ", "�� \\x07�\nnode-1 login: "),
        ("\u009b31m\u202e\r\nnode-1 login: ".encode(), "\\x9b31m\\u202e\nnode-1 login: "),
    ],
)
@pytest.mark.parametrize("size", [1, 2, 1000])
def test_nothing_reaches_the_terminal_that_it_would_obey(said: bytes, shown: str, size: int) -> None:
    console, found = fed(*in_pieces(said, size))
    assert console.prompted
    assert found == shown


def test_the_last_line_is_ended_once() -> None:
    shown: list[str] = []
    console = Console(shown.append)
    console.finish()
    console.feed(b"node-1 login: ")
    console.finish()
    console.finish()
    assert shown == ["node-1 login: ", "\n"]


def test_a_character_in_two_pieces() -> None:
    assert fed("grün".encode()[:3], "grün".encode()[3:])[1] == "grün"


def test_however_much_is_said_little_is_kept() -> None:
    console, shown = fed(*[b"x" * 65536] * 20, *[b"\x1b]" + b"y" * 65536] * 20, *[b"line\r\n"] * 1000)
    assert len(shown) > 40 * 65536
    assert len(console.tail) == TAIL_LINES
    assert all(len(line) <= 4000 for line in console.tail)
    assert len(console._held) < 1000
    assert len(fed(*[b"[FAILED] Failed to start x\r\n"] * 1000)[0].failures) == 20


def test_units_that_failed() -> None:
    said = (
        b"[\x1b[0;1;31mFAILED\x1b[0m] Failed to start \x1b[0;1;39mbroken.service\x1b[0m - Breaks.\r\n[  OK  ] Other\r\n"
    )
    for size in (1, 1000):
        assert fed(*in_pieces(said, size))[0].failures == ["Failed to start broken.service - Breaks."]


@pytest.mark.parametrize(
    "said",
    [
        b"[    2.1] Kernel panic - not syncing: VFS: Unable to mount root fs\r\n",
        b"ALERT!  UUID=1 does not exist.\r\n(initramfs) ",
        b"You are in emergency mode. After logging in\r\n",
        b"error: no such device\r\ngrub rescue> ",
        b"BdsDxe: No bootable option or device was found.\r\n",
    ],
)
def test_what_no_machine_comes_back_from(said: bytes) -> None:
    console = fed(*in_pieces(said, 1))[0]
    assert console.hopeless is not None
    assert console.hopeless in [line.rstrip() for line in said.decode().splitlines()], "all of the line"


def test_a_start_that_goes_well_is_not_hopeless() -> None:
    console = fed(b"Loading initial ramdisk ...\r\nBegin: Running /scripts/init-bottom ... done.\r\n", PROMPT)[0]
    assert console.hopeless is None
    assert not console.names_cloud_init
