"""Package repositories made on the spot."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import subprocess
import time
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path

from .images import output_of

_PATIENCE_SECONDS = 10


def package(
    directory: Path, name: str, version: str = "1", *, depends: str = "", fields: str = "", **scripts: str
) -> Path:
    """Build a package that holds one file, with Debian's own tool; *scripts* are maintainer scripts by name."""
    root = directory / f"{name}-{version}-root"
    (root / "DEBIAN").mkdir(parents=True)
    (root / "usr/share/doc" / name).mkdir(parents=True)
    (root / "usr/share/doc" / name / "copyright").write_text("nobody's\n")
    control = f"Package: {name}\nVersion: {version}\nArchitecture: all\n{fields}"
    control += "Maintainer: A Test <test@example.org>\nDescription: a test\n"
    (root / "DEBIAN/control").write_text(control + (f"Depends: {depends}\n" if depends else ""))
    for script, text in scripts.items():
        (root / "DEBIAN" / script).write_text(text)
        (root / "DEBIAN" / script).chmod(0o755)
    (directory / "pool").mkdir(exist_ok=True)
    deb = directory / "pool" / f"{name}_{version}_all.deb"
    subprocess.run(["dpkg-deb", "--root-owner-group", "--build", root, deb], check=True, stdout=subprocess.DEVNULL)
    return deb


def index(directory: Path, *debs: Path) -> str:
    """Return the stanzas of Packages for files below *directory*."""
    stanzas = []
    for deb in debs:
        content = deb.read_bytes()
        place = f"Filename: {deb.relative_to(directory)}\nSize: {len(content)}\n"
        digest = f"SHA256: {hashlib.sha256(content).hexdigest()}\n"
        stanzas.append(output_of("dpkg-deb", "--field", deb) + place + digest)
    return "\n".join(stanzas)


def flat(directory: Path, *debs: Path) -> str:
    """Make a flat repository without a Release; return its URI."""
    (directory / "Packages.gz").write_bytes(gzip.compress(index(directory, *debs).encode()))
    return directory.as_uri()


def release(directory: Path, suite: str, *debs: Path, fields: str = "") -> Path:
    """Make a suite with one component, unsigned; return its Release."""
    place = directory / "dists" / suite
    (place / "main/binary-amd64").mkdir(parents=True, exist_ok=True)
    packages = index(directory, *debs).encode()
    (place / "main/binary-amd64/Packages").write_bytes(packages)
    digest = hashlib.sha256(packages).hexdigest()
    text = f"Origin: Test\nSuite: {suite}\nCodename: {suite}\nDate: {formatdate(usegmt=True)}\n"
    text += f"Architectures: amd64\n{fields}"
    (place / "Release").write_text(f"{text}SHA256:\n {digest} {len(packages)} main/binary-amd64/Packages\n")
    return place / "Release"


class Signer:
    """A key of its own, with which a Release is signed; made as if it were *now*, where that is not None."""

    def __init__(self, home: Path, expires: str = "never", now: str | None = None) -> None:
        home.mkdir(mode=0o700)
        self._home = home
        self._gpg = ["gpg", "--homedir", str(home), "--batch", "--quiet", "--yes", "--passphrase", ""]
        self._gpg += ["--pinentry-mode", "loopback", "--faked-system-time", f"{now}!"] if now else []
        self._run("--quick-generate-key", "Test <test@example.org>", "ed25519", "sign", expires)
        listed = output_of(*self._gpg, "--with-colons", "--list-keys").splitlines()
        self.fingerprint = next(line.split(":")[9] for line in listed if line.startswith("fpr"))

    @property
    def key(self) -> str:
        return output_of(*self._gpg, "--armor", "--export")

    def sign(self, release_file: Path, *options: str) -> Path:
        signed = release_file.with_name("InRelease")
        self._run(*options, "--clearsign", "--output", signed, release_file)
        return signed

    def detach(self, release_file: Path, *options: str) -> Path:
        signature = release_file.with_name("Release.gpg")
        self._run(*options, "--armor", "--detach-sign", "--output", signature, release_file)
        return signature

    def enclose(self, release_file: Path, *options: str) -> bytes:
        """Return a whole signed message in OpenPGP's own form."""
        return subprocess.run(
            [*self._gpg, *options, "--sign", "--output", "-", release_file], check=True, stdout=subprocess.PIPE
        ).stdout

    def revoke(self) -> None:
        """Revoke the key, with the certificate that gpg has made for that day, one character of which is in the way."""
        (certificate,) = (self._home / "openpgp-revocs.d").glob("*.rev")
        (self._home / "revoked.asc").write_text(certificate.read_text().replace(":-----BEGIN", "-----BEGIN"))
        self._run("--import", self._home / "revoked.asc")

    def _run(self, *arguments: str | Path) -> None:
        subprocess.run([*self._gpg, *arguments], check=True)

    def close(self) -> None:
        """End the agent that gpg has started, and wait until it is gone."""
        home = str(self._home)
        subprocess.run(["gpgconf", "--homedir", home, "--kill", "all"], check=True)
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while any(home in one for one in _command_lines()):
            assert time.monotonic() < deadline, "gpg's agent does not end"
            time.sleep(0.05)


def _command_lines() -> Iterator[str]:
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            line = (process / "cmdline").read_text(errors="replace")
            if line.startswith("gpg-agent"):
                yield line
