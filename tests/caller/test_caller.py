"""The program as its caller runs it: by a shell, of an agent, at the other end of a queue.

MCollective and the middleware are Debian's; the agent and the caller are ours, with the shape of Fuel's. The caller
sees the exit code and, at the end, what was written; it tries twice.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.integration.conftest import NEVER_WAIT_LONGER_SECONDS, PROGRAM, SMALL, host_state, metadata_of, sample
from tests.integration.images import ImageSet, output_of
from tests.integration.servers import directory, serving

from . import agent
from .agent import Attempt, Master
from .daemons import SYSTEM_PATH
from .mirror import SlowMirror, state

pytestmark = pytest.mark.caller

SMALL_OUTPUT_BYTES = 64 << 10
LONGEST_ARGUMENT_BYTES = 131_071
"""MAX_ARG_STRLEN of Linux without the NUL at the end."""
CHANGED_DIRECTORY = "cd / && "
"""What the caller puts before a command."""
WAITING = "waiting for another build of"
HASTY_SECONDS = 60


def command(request: dict[str, Any], *options: str, **form: Any) -> str:
    """Return what the caller makes of a request: its JSON between apostrophes, and nothing done about what is in it."""
    return " ".join([f"fuel-image '{json.dumps(request, **form)}'", *options])


def succeeded(attempts: list[Attempt | None]) -> Attempt:
    """Return the only attempt."""
    (only,) = attempts
    assert only is not None and only.exit_code == 0, attempts
    return only


def failed(attempts: list[Attempt | None], exit_code: int) -> Attempt:
    """Return the last of as many attempts as the caller makes, all of which ended with *exit_code*."""
    assert [one and one.exit_code for one in attempts] == [exit_code] * 2, attempts
    last = attempts[-1]
    assert last is not None
    return last


@pytest.fixture(scope="module")
def request_(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A request that is not built."""
    return sample(None, tmp_path_factory.mktemp("unbuilt"), packages=[])


def test_a_build(master: Master, tmp_path: Path) -> None:
    request = {**sample(None, tmp_path / "output", packages=SMALL), "größe": "€"}
    ended = succeeded(master.call(command(request)))
    seen = master.seen
    assert seen.pop("cwd") == "/"
    assert seen.pop("stdin") == "regular empty file, 0 bytes"
    assert seen.pop("LC_ALL") == "C"
    assert seen.pop("PATH") == SYSTEM_PATH
    assert set(seen) <= {"PWD", "OLDPWD"}
    assert len(ended.stdout) + len(ended.stderr) < SMALL_OUTPUT_BYTES
    assert ended.stdout == b""
    assert "ignoring $.größe: unknown key" in ended.said
    images = ImageSet(metadata_of(request))
    assert f"metadata: {images.path}" in ended.said
    for mount in request["image_data"]:
        image = images.image(mount)
        assert output_of("md5sum", images.file(mount)).split()[0] == image["container_md5"]
        raw = images.unpack(mount, tmp_path / "raw")
        assert (raw.stat().st_size, output_of("md5sum", raw).split()[0]) == (image["raw_size"], image["raw_md5"])
    assert "already built: " in succeeded(master.call(command(request))).said


ODD = [
    '"quoted" \\"twice\\"',
    "back\\slash \\n \\u0041",
    "$HOME ${PATH} $(id) `id`",
    " two  spaces ; & | > <",
    "*",
    "%s !!",
]


@pytest.mark.parametrize("ascii_only", [True, False])
def test_what_a_shell_might_touch_arrives_as_it_was(ascii_only: bool, master: Master, request_: dict[str, Any]) -> None:
    output = f"/nowhere/größe € {''.join(ODD)}"
    request = {**request_, **dict.fromkeys(ODD, 1), "größe": "€", "output": output}
    ended = succeeded(master.call(command(request, "--dry-run", ensure_ascii=ascii_only)))
    said = ended.said.splitlines()
    assert [f"ignoring $[{json.dumps(key)}]: unknown key" for key in ODD] == said[:-1]
    assert said[-1] == "ignoring $.größe: unknown key"
    assert f"output in {output}" in ended.stdout.decode("utf-8").splitlines()


def test_an_apostrophe_is_more_than_the_caller_s_shell_can_take(master: Master, request_: dict[str, Any]) -> None:
    """The caller does not quote; nothing of it reaches the program."""
    before = master.log
    ended = failed(master.call(command({**request_, "it's": 1})), 2)
    assert "Unterminated quoted string" in ended.said
    assert master.log == before


def padded(request: dict[str, Any], size_bytes: int, length_of: Callable[[dict[str, Any]], int]) -> dict[str, Any]:
    """Return *request* with nodes, as the newest caller sends them, of which *length_of* gives *size_bytes*."""
    nodes = [{"name": "", "mac": "52:54:00:00:00:01"}]
    nodes[0]["name"] = "x" * (size_bytes - length_of({**request, "nodes": nodes}))
    return {**request, "nodes": nodes}


def test_a_request_as_large_as_the_shell_s_argument_may_be(master: Master, request_: dict[str, Any]) -> None:
    """What is limited is the shell's one argument: the whole command. With a byte more no shell is started, and
    MCollective's answer says no word. The program's help tells what to do.
    """

    def given(request: dict[str, Any]) -> str:
        return command(request, "--dry-run")

    fitting = padded(request_, LONGEST_ARGUMENT_BYTES, lambda one: len(CHANGED_DIRECTORY + given(one)))
    assert b"steps" in succeeded(master.call(given(fitting))).stdout
    before = master.log
    ended = failed(master.call(given(fitting) + " "), 42)
    assert (ended.stdout, ended.stderr) == (b"", b"")
    assert master.log == before
    helped = " ".join(succeeded(master.call("fuel-image --help")).stdout.decode().split())
    assert f"One argument has up to {LONGEST_ARGUMENT_BYTES:,} bytes; a longer request must be a file: @PATH" in helped


def test_a_request_as_large_as_the_program_s_argument_may_be(request_: dict[str, Any], tmp_path: Path) -> None:
    """Of a caller without a shell. One that cuts what is too long is told; one that does not never gets here."""
    fitting, longer = (
        json.dumps(padded(request_, LONGEST_ARGUMENT_BYTES + more, lambda one: len(json.dumps(one)))) for more in (0, 1)
    )
    ran = subprocess.run([*PROGRAM, "--dry-run", fitting], check=True, capture_output=True, text=True)
    assert "steps" in ran.stdout
    with pytest.raises(OSError, match="Argument list too long"):
        subprocess.run([*PROGRAM, "--dry-run", longer], check=False)
    cut = subprocess.run(
        [*PROGRAM, "--dry-run", longer[:LONGEST_ARGUMENT_BYTES]], check=False, capture_output=True, text=True
    )
    assert cut.returncode == 2
    assert "use @PATH" in cut.stderr
    (tmp_path / "request.json").write_text(longer)
    subprocess.run([*PROGRAM, "--dry-run", f"@{tmp_path}/request.json"], check=True, stdout=subprocess.DEVNULL)


def test_a_request_of_megabytes_in_a_file(master: Master, request_: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "request.json"
    path.write_text(json.dumps({**request_, "nodes": [{"name": f"node-{n}", "mac": "x" * 100} for n in range(40_000)]}))
    assert path.stat().st_size > 4_000_000
    ended = succeeded(master.call(f"fuel-image @{path} --dry-run"))
    assert ended.said.splitlines() == ["ignoring $.nodes: unknown key"]
    assert b"steps" in ended.stdout


def test_a_bad_request_is_tried_twice(master: Master, request_: dict[str, Any]) -> None:
    repos = [{**request_["repos"][0], "uri": "gopher://mirror.example.org/"}]
    ended = failed(master.call(command({**request_, "repos": repos, "arch": "vax"})), 2)
    assert '$.arch: "vax" is not one of' in ended.said


def test_a_build_that_fails_is_tried_twice(master: Master, request_: dict[str, Any], tmp_path: Path) -> None:
    with directory(tmp_path) as url:
        repos = [{**request_["repos"][0], "name": "gone", "uri": url}]
        ended = failed(master.call(command({**request_, "repos": repos})), 1)
    assert f"opening gone: {url} has no suite {request_['codename']}" in ended.said
    assert list(Path(request_["output"]).iterdir()) == []


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + NEVER_WAIT_LONGER_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def builds(workspace: Path) -> list[str]:
    return [process for process in host_state(workspace)["processes"] if "fuel_image" in process]


def test_after_a_time_out_the_next_attempt_waits_for_the_first_and_finds_its_result(
    stomp_port: int, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The agent lets go of the child that it stops waiting for; a mirror keeps that from ending until then."""
    request = sample(None, tmp_path / "output", packages=["libcap2-bin"])
    mirror = SlowMirror(request, held="/libcap2-bin_")
    place = tmp_path_factory.mktemp("hasty")
    with ExitStack() as stack:
        mirror.stand_at(stack.enter_context(serving(mirror.handler())))
        hasty = stack.enter_context(agent.master(place, stomp_port, tmp_path / "cache", HASTY_SECONDS))
        threads = stack.enter_context(ThreadPoolExecutor())
        calling = threads.submit(hasty.call, command(request))
        wait_until(lambda: WAITING in hasty.log or calling.done())
        mirror.released.set()
        first, second = calling.result()
        wait_until(lambda: not builds(tmp_path_factory.getbasetemp()))
        log = hasty.log
    assert first is None
    assert "Timeout while handling message" in (place / "mcollectived.log").read_text()
    assert second is not None and second.exit_code == 0
    images = ImageSet(metadata_of(request))
    assert f"{WAITING} {images.path}" in second.said
    assert f"already built: {images.path.name} is whole" in second.said
    assert log.count("Publishing ...") == 1
    releases = {path for path in mirror.gets if path.endswith("InRelease")}
    assert len(releases) == len(request["repos"])
    assert {path: count for path, count in mirror.gets.items() if count != 1} == dict.fromkeys(releases, 2)
    published = state(images.path.parent)
    assert mirror.outputs == [*[{}] * len(releases), *[published] * len(releases)]
