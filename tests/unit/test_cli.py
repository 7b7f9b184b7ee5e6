"""The command line: what it prints and the codes it ends with, as far as no host is needed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fuel_image.cli import main

from .test_request import SEED, changed


def test_help_teaches(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--help"])
    assert caught.value.code == 0
    printed = capsys.readouterr().out
    for word in ("image_data", "exit codes", "fuel-image sample", "--dry-run"):
        assert word in printed


def test_a_dry_run_prints_the_plan(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--dry-run", SEED]) == 0
    printed = capsys.readouterr().out
    assert "env_4_ubuntu_1204_amd64.yaml: metadata, published last" in printed
    assert "MOS: http://127.0.0.1:8080/2014.2-6.1/ubuntu/x86_64 precise (main; pin 1001; shipped keys, base)" in printed


def test_the_plan_shows_no_credentials(capsys: pytest.CaptureFixture[str]) -> None:
    text = SEED.replace("http://127.0.0.1:8080/2014", "http://user:s3cret@127.0.0.1:8080/2014")
    assert main(["--dry-run", text]) == 0
    assert "s3cret" not in capsys.readouterr().out


def test_pieces_of_a_request_are_not_shown(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--dry-run", '{"root_password":', "s3cret}", "--frobnicate", "--s3cret={}"])
    assert caught.value.code == 2
    printed = capsys.readouterr().err
    assert "unrecognized arguments: ... --frobnicate ..." in printed
    assert "s3cret" not in printed


@pytest.mark.parametrize("how", ["path", "@path"])
def test_a_request_may_be_a_file(how: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "request.json"
    path.write_text(SEED)
    assert main(["--dry-run", how.replace("path", str(path))]) == 0
    assert "precise" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("request_text", "said"),
    [
        ("nowhere.json", "neither JSON text nor a file that can be read: nowhere.json (No such file or directory)"),
        (json.dumps(SEED), "neither JSON text nor a file that can be read: ... ("),
        ("{", "$: not JSON: "),
        (changed(arch="vax", codename=4), '$.arch: "vax" is not one of'),
    ],
)
def test_a_bad_request_ends_with_2_and_no_traceback(
    request_text: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([request_text]) == 2
    printed = capsys.readouterr().err
    assert said in printed
    assert "Traceback" not in printed


def test_a_request_as_long_as_an_argument_may_be(capsys: pytest.CaptureFixture[str]) -> None:
    """One that was cut there is told what to do; one that fits is a request like any other."""
    longest = SEED.rstrip().ljust(131_071)
    assert main(["--dry-run", longest]) == 0
    cut = changed(nodes=["ü" * 131_071]).encode()[:131_071].decode(errors="surrogateescape")
    for text in (cut, "[" * 131_071):
        assert main(["--dry-run", text]) == 2
        assert "131,071 bytes: if it was cut, use @PATH" in capsys.readouterr().err
    assert main(["--dry-run", cut[:-3]]) == 2
    assert "@PATH" not in capsys.readouterr().err


def test_a_request_that_is_no_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "request.json").write_bytes(b'{"a": "\xff"}')
    assert main([str(tmp_path / "request.json")]) == 2
    assert "not UTF-8 at byte 7" in capsys.readouterr().err


def test_the_schema_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema"]) == 0
    assert json.loads(capsys.readouterr().out)["title"] == "A request to fuel-image"


def test_a_log_file_that_cannot_be_opened(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--log-file", str(tmp_path / "none/log"), SEED]) == 3
    assert "opening the log file" in capsys.readouterr().err
