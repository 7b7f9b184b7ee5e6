"""Faults survived: a mirror that misbehaves.

A server of ours stands in front of a signed mirror of real packages. What is in the pool after it is checked by
sha256sum, and an image against that of a build that nothing disturbed.
"""

from __future__ import annotations

import gzip
import hashlib
import re
import socket
import subprocess
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from email.utils import formatdate
from pathlib import Path
from typing import Any, Callable

import pytest

from fuel_image.archive import fetch, opening, pace, transport, trust
from fuel_image.archive.fetch import Fetcher, Wanted
from fuel_image.archive.pool import Pool
from fuel_image.archive.release import OutdatedError
from fuel_image.archive.repositories import Repositories
from fuel_image.archive.seen import Seen
from fuel_image.errors import FetchError
from fuel_image.progress import Step
from fuel_image.request import Repository

from .mirror import Mirror
from .misbehaving import FAULTS, PASSING, SLOW, Asked, always, first, misbehaving
from .pool import whole

CONTENT = b"".join(hashlib.sha256(bytes([one])).digest() for one in range(250)) * 25
SHA256 = hashlib.sha256(CONTENT).hexdigest()


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


def test_a_mirror_that_comes_up(files: Path) -> None:
    """A mirror that refuses connections is asked again until it is up."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        port = holder.getsockname()[1]
    with ThreadPoolExecutor(1) as beside:
        fetching = beside.submit(fetched, files, [f"http://127.0.0.1:{port}"])
        time.sleep(0.5)  # it asks in vain
        with misbehaving(files, port=port):
            assert fetching.result() == CONTENT


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


DAY = 86_400


@pytest.fixture
def copied(mirror: Mirror, tmp_path: Path) -> Callable[..., Path]:
    """Return a function that copies the mirror, with a Release of its own if it says how old that is."""

    def copy(name: str, *, days: float = 0, **fields: str) -> Path:
        (tmp_path / name).mkdir()
        subprocess.run(["cp", "--archive", "--link", *mirror.directory.glob("*"), tmp_path / name], check=True)
        place = tmp_path / name / "dists" / mirror.suite
        for file in ("Release", "InRelease"):  # or the linked ones would be written
            (place / file).unlink()
        mirror.release(tmp_path / name, Date=formatdate(time.time() - days * DAY, usegmt=True), **fields)
        return tmp_path / name

    return copy


Copied = Callable[..., Path]


@pytest.fixture
def opened(mirror: Mirror, tmp_path: Path) -> Callable[..., Repositories]:
    """Return a function that opens the repository that some servers serve, up to its indices, as every build does."""

    def open_(*uris: str, **fields: Any) -> Repositories:
        repository = Repository("mirror", uris, mirror.suite, ("main",), **{"key": mirror.signer.key, **fields})
        fetcher = Fetcher(Pool(tmp_path / "pool"))
        inquiry = trust.Inquiry(fetcher, tmp_path, Seen(tmp_path / "seen"))
        try:
            repositories = opening.open_all(trust.ask_all((repository,), inquiry), "amd64", inquiry, Step("opening"))
        finally:
            whole(tmp_path / "pool")
        assert repositories.candidate("hello") is not None
        return repositories

    return open_


Opened = Callable[..., Repositories]


@pytest.mark.parametrize("fault", [*PASSING, *SLOW])
def test_indices(fault: str, mirror: Mirror, opened: Opened) -> None:
    """A repository is opened in spite of a fault in the first answer for its Release and its indices."""
    with misbehaving(mirror.directory, first(1, fault)) as server:
        opened(server.url)
    assert len(server.faults) >= 2


def test_an_index_newer_than_its_release(mirror: Mirror, opened: Opened, copied: Copied) -> None:
    """A mirror amid its own update, with an index newer than its Release, is asked for both again."""
    before, after = copied("before", days=1), copied("after")
    indices = after / "dists" / mirror.suite / "main/binary-amd64"
    for path in indices.glob("Packages*"):
        content = path.read_bytes()
        path.unlink()
        path.write_bytes(content[:-7] if path.suffix else content + b"\n")
    (indices / "Packages.gz").write_bytes(gzip.compress((indices / "Packages").read_bytes()))
    subprocess.run(["rm", "-r", indices / "by-hash"], check=True)
    mirror.release(after)
    stale = (before / "dists" / mirror.suite / "InRelease").read_bytes()
    (after / "stale").write_bytes(stale)
    with misbehaving(after, lambda asked: "the stale one" if asked.times == 1 else None) as server:
        repositories = opened(server.url)
    assert repositories[0].release.text in (after / "dists" / mirror.suite / "InRelease").read_text()
    assert ("/dists/" + mirror.suite + "/InRelease", "the stale one") in server.faults


def test_an_expired_release(mirror: Mirror, opened: Opened, copied: Copied) -> None:
    """An expired Release is refused with the date, unless another mirror has a valid one."""
    expired = copied("expired", days=9, **{"Valid-Until": formatdate(time.time() - DAY, usegmt=True)})
    with misbehaving(expired) as server, misbehaving(mirror.directory) as good:
        with pytest.raises(OutdatedError, match=r"it was valid until \d{4}-\d\d-\d\d") as caught:
            opened(server.url)
        assert "clock" in caught.value.advice
        assert opened(server.url, trusted=True)[0].release.date == pytest.approx(time.time() - 9 * DAY, abs=900)
        assert opened(server.url, good.url)[0].release.valid_until is None


def test_a_release_rolled_back(opened: Opened, copied: Copied) -> None:
    """A Release older than one that was seen before is refused with both dates and a way out."""
    old, new = copied("old", days=9), copied("new", days=2)
    served = old.with_name("served")
    served.symlink_to(new)
    with misbehaving(served) as server:
        opened(server.url)
        served.unlink()
        served.symlink_to(old)
        with pytest.raises(OutdatedError, match=r"it is of \S+ \S+ UTC, and one of \S+ \S+ UTC was seen") as caught:
            opened(server.url.replace("//", "//user:s3cret@"))  # whose credentials make it no other
        assert opened(server.url, trusted=True)[0].release.date < time.time() - 8 * DAY
        with pytest.raises(OutdatedError), misbehaving(old) as other:
            opened(other.url, server.url)
        with misbehaving(new) as good:
            assert opened(server.url, good.url)[0].release.date > time.time() - 3 * DAY
        for file in re.findall(r"remove (\S+)", caught.value.advice):
            assert "s3cret" not in Path(file).read_text()
            Path(file).unlink()
        opened(server.url)


def test_a_lagging_host(mirror: Mirror, opened: Opened, copied: Copied) -> None:
    """Where hosts behind one name differ, one that lags is asked once more, and another answers."""
    copied("seen", days=0)
    served = copied("served", days=9)
    (served / "stale").write_bytes((served / "dists" / mirror.suite / "InRelease").read_bytes())
    mirror.release(served)
    with misbehaving(served, lambda asked: "the stale one" if asked.times == 2 else None) as server:
        opened(server.url)
        assert opened(server.url)[0].release.date > time.time() - DAY
    assert len([path for path, fault in server.faults if path.endswith("InRelease")]) == 1


def test_what_was_seen_is_not_needed(mirror: Mirror, opened: Opened, tmp_path: Path) -> None:
    """What this host remembers of a repository may be damaged or missing."""
    with misbehaving(mirror.directory) as server:
        opened(server.url)
        (file,) = (tmp_path / "seen").iterdir()
        for damaged in (b"", b"\xff\xfe", b"-1\n", b"9" * 10_000, b"1e9\n"):
            file.write_bytes(damaged)
            opened(server.url)
        subprocess.run(["rm", "-r", tmp_path / "seen"], check=True)
        (tmp_path / "seen").touch()
        opened(server.url)
