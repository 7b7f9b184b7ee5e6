"""The seed that asks a machine for a report, the program in it, and its line."""

from __future__ import annotations

import json
import zlib
from typing import Any

import pytest
import yaml

from fuel_image.machine import report
from fuel_image.machine.console import Console
from fuel_image.machine.report import Report

SAID: dict[str, Any] = {"state": "running", "failed": [], "cloud_init": "done", "errors": []}


def line(**changes: Any) -> str:
    text = json.dumps({**SAID, **changes})
    return f"fuel-image reports: {zlib.crc32(text.encode()):08x} {text}"


def test_a_report() -> None:
    assert report.parsed(line()) == Report("running", (), "done", ())
    assert report.parsed(line(state="degraded", failed=["a.service"], errors=["x"])) == Report(
        "degraded", ("a.service",), "done", ("x",)
    )


@pytest.mark.parametrize(
    "said",
    [
        "",
        "fuel-image reports: ",
        line()[:-1],
        line().replace("running", "ru[ 12.1] nning"),
        line().replace("done", "dona"),
        f"fuel-image reports: {zlib.crc32(b'{}'):08x} {{}}",
        f"fuel-image reports: {zlib.crc32(b'{x}'):08x} {{x}}",
    ],
)
def test_what_is_no_report(said: str) -> None:
    assert report.parsed(said) is None


def test_a_line_that_was_disturbed_comes_again() -> None:
    console = Console(lambda _: None)
    console.feed(line().replace("done", "do[1] ne").encode() + b"\r\n" + line().encode())
    assert console.report is None
    console.feed(b"\r\n")
    assert console.report == Report("running", (), "done", ())


def test_the_user_data() -> None:
    text = report.user_data()
    assert text.startswith("#cloud-config\n")
    asked = yaml.safe_load(text)
    (file,), (command,) = asked["write_files"], asked["runcmd"]
    assert command[-2:] == ["python3", file["path"]]
    assert asked["locale"] is False


class Over(Exception):
    """The program would go on for ever."""


def ran(monkeypatch: pytest.MonkeyPatch, tmp_path: Any, answers: dict[str, str], result: str | None) -> str:
    """Run the program of the seed once round in a pretended machine; return what its console gets."""
    (file,) = yaml.safe_load(report.user_data())["write_files"]
    states = iter(["initializing", "starting", *[answers["is-system-running"]] * 2])
    if result is not None:
        (tmp_path / "result.json").write_text(result)
    program = file["content"].replace("/dev/ttyS0", f"{tmp_path}/console")
    program = program.replace("/run/cloud-init/result.json", f"{tmp_path}/result.json")

    class Process:
        def __init__(self, command: tuple[str, ...], **_: Any) -> None:
            self.answer = next(states) if command[1] == "is-system-running" else answers[command[1]]

        def communicate(self) -> tuple[str, None]:
            return f"{self.answer}\n", None

    naps: list[float] = []

    def sleep(seconds: float) -> None:
        naps.append(seconds)
        if (tmp_path / "console").exists():
            raise Over

    monkeypatch.setattr("subprocess.Popen", Process)
    monkeypatch.setattr("time.sleep", sleep)
    with pytest.raises(Over):
        exec(compile(program, "report", "exec"), {})
    assert naps == [1, 1, 2]
    return str((tmp_path / "console").read_text())


def test_the_program_reports_a_machine_that_is_well(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    answers = {"is-system-running": "running", "list-units": "", "status": "status: done"}
    said = ran(monkeypatch, tmp_path, answers, '{"v1": {"datasource": "x", "errors": []}}')
    assert report.parsed(said) == Report("running", (), "done", ())


def test_the_program_reports_what_failed(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    failed = "\u25cf a.service loaded failed failed A thing that v1.2 does\nb.mount loaded failed failed B"
    answers = {"is-system-running": "degraded", "list-units": failed, "status": "status: error\nmore"}
    said = ran(monkeypatch, tmp_path, answers, '{"v1": {"errors": ["it did not"]}}')
    assert report.parsed(said) == Report("degraded", ("a.service", "b.mount"), "error", ("it did not",))


def test_the_program_reports_that_cloud_init_left_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    answers = {"is-system-running": "running", "list-units": "", "status": "status: running"}
    found = report.parsed(ran(monkeypatch, tmp_path, answers, None))
    assert found is not None
    assert found.errors[0].startswith("it left no result: ")
