"""A certificate authority of these tests, by openssl."""

from __future__ import annotations

import ssl
import subprocess
from pathlib import Path

_CONFIGURATION = """\
[ca]
default_ca = here
[here]
database = {directory}/index
new_certs_dir = {directory}
policy = any
default_md = sha256
rand_serial = yes
unique_subject = no
[any]
commonName = supplied
"""
_DATES = {False: ("20200101000000Z", "20991231000000Z"), True: ("20200101000000Z", "20200201000000Z")}


class Authority:
    """Signs certificates of servers; *certificate* is its own."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir()
        self._directory = directory
        self.certificate = directory / "authority.crt"
        (directory / "index").touch()
        (directory / "configuration").write_text(_CONFIGURATION.format(directory=directory))
        _openssl("req", "-x509", *_new(directory / "authority.key", "an authority"), "-out", self.certificate)

    def server(self, name: str, *, expired: bool = False) -> ssl.SSLContext:
        """Return what a server needs for being *name*, such as ``IP:127.0.0.1``."""
        key, request, certificate = (self._directory / f"server.{ending}" for ending in ("key", "csr", "crt"))
        _openssl("req", *_new(key, "a server"), "-out", request)
        names = self._directory / "names"
        names.write_text(f"subjectAltName = {name}\n")
        begin, end = _DATES[expired]
        _openssl(
            *("ca", "-batch", "-notext", "-config", self._directory / "configuration", "-in", request),
            *("-cert", self.certificate, "-keyfile", self._directory / "authority.key", "-extfile", names),
            *("-startdate", begin, "-enddate", end, "-out", certificate),
        )
        return _context(certificate, key)

    def self_signed(self, name: str) -> ssl.SSLContext:
        """Return what a server needs that vouches for itself."""
        key, certificate = self._directory / "own.key", self._directory / "own.crt"
        _openssl("req", "-x509", *_new(key, "a server"), "-addext", f"subjectAltName = {name}", "-out", certificate)
        return _context(certificate, key)


def _new(key: Path, subject: str) -> list[object]:
    return [
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-keyout",
        key,
        "-subj",
        f"/CN={subject}",
    ]


def _openssl(*arguments: object) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


def _context(certificate: Path, key: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context
