"""Fetching over HTTP, no faster than a site allows, and a key."""

from __future__ import annotations

import hashlib
import ssl
import subprocess
import threading
from pathlib import Path

import pytest

from fuel_image import build, settings
from fuel_image.archive import signature, throttle
from fuel_image.archive.fetch import Fetcher, Wanted
from fuel_image.archive.pool import Pool
from fuel_image.errors import FetchError
from fuel_image.progress import Step
from fuel_image.request import Repository, parse
from tests.unit.test_request import SEED

from . import repository
from .servers import Handler, directory, serving

CONTENT = bytes(range(256)) * 4096


class Clock:
    """A clock that goes on only while somebody sleeps: until so long after the sleeper last looked at it."""

    def __init__(self) -> None:
        self.now = 0.0
        self._looked = threading.local()
        self._lock = threading.Lock()

    def monotonic(self) -> float:
        self._looked.at = self.now
        return self.now

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self.now = max(self.now, self._looked.at + seconds)


@pytest.mark.parametrize("connections", [1, 4])
def test_the_site_s_limit_holds_for_all_files_together(
    connections: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    contents = [CONTENT[start:] for start in range(4)]
    (tmp_path / "web").mkdir()
    for start, content in enumerate(contents):
        (tmp_path / "web" / str(start)).write_bytes(content)
    (tmp_path / "site.yaml").write_text(f"bandwidth_limit: 256KiB\nconnections: {connections}\n")
    site = settings.typed(settings.effective(tmp_path / "site.yaml", {"cache_dir": tmp_path}))
    clock = Clock()
    monkeypatch.setattr(throttle, "time", clock)
    with directory(tmp_path / "web") as url, build._fetcher(parse(SEED), site) as fetcher:
        wanted = [
            Wanted((f"{url}/{start}",), len(content), hashlib.sha256(content).hexdigest(), str(start))
            for start, content in enumerate(contents)
        ]
        fetcher.fetch(wanted, Step("fetching"))
        assert all(fetcher.pool.holds(one.sha256, one.size_bytes) for one in wanted)
    assert sum(map(len, contents)) / clock.now == pytest.approx(256 << 10)


def test_a_key_from_an_https_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    signer = repository.Signer(tmp_path / "gnupg")
    (tmp_path / "web").mkdir()
    (tmp_path / "web/key.asc").write_text(signer.key)
    certificate = tmp_path / "certificate.pem"
    argv = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=127.0.0.1"]
    argv += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(certificate), "-out", str(tmp_path / "crt")]
    subprocess.run(argv, check=True, stderr=subprocess.DEVNULL)
    certificate.write_text(certificate.read_text() + (tmp_path / "crt").read_text())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    class Web(Handler):
        def do_GET(self) -> None:
            content = (tmp_path / "web/key.asc").read_bytes()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    (tmp_path / "signed").mkdir()
    release = repository.release(tmp_path / "signed", "stable", repository.package(tmp_path / "signed", "mine"))
    content = signer.sign(release).read_bytes()
    signer.close()
    with serving(Web, tls=context) as url:
        fetcher = Fetcher(Pool(tmp_path / "pool"), attempts=2)
        mine = Repository("mine", (url,), "stable", ("main",), key=f"{url}/key.asc", fingerprint=signer.fingerprint)
        with pytest.raises(FetchError, match="TLS: "):
            signature.keyring(mine, fetcher, threading.Event())
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "crt"))
        keys = signature.keyring(mine, fetcher, threading.Event())
        assert "Suite: stable" in signature.verified(content, None, keys, mine, tmp_path)
        other = Repository("mine", (url,), "stable", ("main",), key=f"{url}/key.asc", fingerprint="F" * 40)
        with pytest.raises(signature.Unsigned, match="not by the key with the fingerprint"):
            signature.verified(content, None, keys, other, tmp_path)
