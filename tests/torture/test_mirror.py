"""Faults survived: a mirror that misbehaves.

A server of ours stands in front of a signed mirror of real packages. What is in the pool after it is checked by
sha256sum, and an image against that of a build that nothing disturbed.
"""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from fuel_image.archive import fetch, pace, transport
from fuel_image.archive.fetch import Fetcher, Wanted
from fuel_image.archive.pool import Pool
from fuel_image.errors import FetchError
from fuel_image.progress import Step

from .misbehaving import FAULTS, PASSING, Asked, always, first, misbehaving

CONTENT = b"".join(hashlib.sha256(bytes([one])).digest() for one in range(250)) * 25
SHA256 = hashlib.sha256(CONTENT).hexdigest()
SLOW = ("stalled amid the body", "no answer", "slow trickle", "slow trickle of a header")
"""What is noticed only after a while."""


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "files").mkdir()
    (tmp_path / "files/file").write_bytes(CONTENT)
    return tmp_path / "files"


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let half a minute be half a second, and all else accordingly, but where a build runs by itself."""
    monkeypatch.setattr(transport, "_LONGEST_RETRY_AFTER_SECONDS", 1.0)
    monkeypatch.setattr(fetch, "_LONGEST_WAIT_SECONDS", 0.2)
    monkeypatch.setattr(transport, "_TIMEOUT_SECONDS", (0.5, 0.5))
    monkeypatch.setattr(pace, "_WINDOW_SECONDS", 0.5)
    monkeypatch.setattr(fetch, "_PATIENCE_SECONDS", 3.0)


def whole(pool: Path) -> int:
    """Assert that every file of a pool has the digest that is its name; return how many there are."""
    members = [path for path in pool.glob("??/*") if path.suffix != ".part"]
    lines = "".join(f"{path.name}  {path}\n" for path in members)
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet"], input=lines, text=True, check=bool(members))
    return len(members)


def wanted(urls: Sequence[str], file: Path) -> Wanted:
    content = file.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    return Wanted(tuple(f"{url}/{file.name}" for url in urls), len(content), digest, "the file")


def fetched(files: Path, urls: Sequence[str]) -> bytes:
    """Return a file as it was fetched."""
    fetcher = Fetcher(Pool(files.parent / "pool"))
    try:
        fetcher.fetch([wanted(urls, files / "file")], Step("fetching"))
    finally:
        held = whole(files.parent / "pool")
    assert held == 1
    return fetcher.pool.path(SHA256).read_bytes()


@pytest.mark.parametrize("fault", [*PASSING, *SLOW])
def test_what_passes(fault: str, files: Path) -> None:
    """A file is had in spite of a fault in the first answers."""
    with misbehaving(files, first(2, fault)) as server:
        assert fetched(files, [server.url]) == CONTENT
    assert server.faults == [("/file", fault)] * 2 and len(server.asked) == 3


@pytest.mark.parametrize("fault", ["reset amid the body", "stalled amid the body", "truncated body"])
def test_a_body_is_resumed(fault: str, files: Path) -> None:
    """A body that breaks off in the middle is resumed where it broke off."""
    with misbehaving(files, first(1, fault)) as server:
        assert fetched(files, [server.url]) == CONTENT
    begun, resumed = (asked.headers.get("range", "bytes=0-") for asked in server.asked)
    assert begun == "bytes=0-"
    assert 0 < int(resumed[6:-1]) <= len(CONTENT) // 2


def test_a_slow_line(files: Path) -> None:
    """A connection that gets little of a line is let be while others get more."""
    (files / "little").write_bytes(CONTENT[:100])
    (files / "much").write_bytes(CONTENT[:20_000])

    def programme(asked: Asked) -> str:
        return "slow trickle" if asked.path == "/little" else "slow stream"

    fetcher = Fetcher(Pool(files.parent / "pool"), attempts=1)
    with misbehaving(files, programme) as server:
        fetcher.fetch([wanted([server.url], files / name) for name in ("little", "much")], Step("fetching"))
    assert whole(files.parent / "pool") == 2


@pytest.mark.parametrize("fault", FAULTS)
def test_a_good_mirror_beside_a_bad_one(fault: str, files: Path) -> None:
    """A mirror that does nothing right does not spoil the next one."""
    with misbehaving(files, always(fault)) as bad, misbehaving(files) as good:
        assert fetched(files, [bad.url, good.url]) == CONTENT
    assert len(good.asked) == 1


@pytest.mark.parametrize("fault", FAULTS)
def test_what_stays(fault: str, files: Path) -> None:
    """What cannot be had is given up in a bounded time, and the message names URL, attempts and cause."""
    said = {
        "reset before an answer": "Connection",
        "reset amid the body": r"[Cc]onnection|broke off",
        "stalled amid the body": r"timed out|too slow",
        "no answer": "timed out",
        "truncated body": "broke off after|broken",
        "truncated body of no stated length": "it has 100000 bytes, not 200000",
        "longer than it is": "longer than the 200000 bytes",
        "shorter than it is": "it has 199999 bytes, not 200000",
        "states a wrong length": "it has 199999 bytes, not 200000",
        "wrong bytes of the right length": f"its SHA-256 is [0-9a-f]*, not {SHA256}",
        "one flipped bit": f"its SHA-256 is [0-9a-f]*, not {SHA256}",
        "a page": "it has 39 bytes, not 200000",
        "404": "HTTP 404",
        "403": "HTTP 403",
        "429 with Retry-After": "HTTP 429",
        "500": "HTTP 500",
        "503 with a date in Retry-After": "HTTP 503",
        "503 for an hour": "HTTP 503",
        "redirect to itself": "redirects more than 10 times",
        "slow trickle": r"too slow: \d+ bytes came in",
        "slow trickle of a header": r"too slow: \d+ bytes came in",
        "no HTTP": "220 ready for mail|BadStatusLine",
    }[fault]
    with misbehaving(files, always(fault)) as server, pytest.raises(FetchError, match=said) as caught:
        fetched(files, [server.url])
    attempts = len(server.asked) // (11 if fault == "redirect to itself" else 1)
    assert f"{server.url}/file: " in caught.value.message
    assert f"(attempts: {attempts})" in caught.value.message and attempts <= fetch.ATTEMPTS
    assert caught.value.advice
