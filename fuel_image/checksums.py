"""The checksum files of a set, for those who check what they fetched with coreutils and GnuPG.

Owns their content: a ``NAME.sha256`` beside each file, and SHA256SUMS of the whole directory with its signature. It
must not take a digest of its own or publish anything.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from fuel_image.errors import CommandError, HostError
from fuel_image.host import kernel
from fuel_image.host.command import run
from fuel_image.host.mounts import mounted
from fuel_image.outputs.names import CHECKSUM_ENDING, SIGNATURE, SUMS
from fuel_image.publish import Artifact, Staged, staged
from fuel_image.request import Request

LOG = logging.getLogger(__name__)

_LINE = re.compile(r"([0-9a-f]{64}) [ *]([^/\x00]+)")
_LARGEST_BYTES = 16 << 20
_KEYRING_BYTES = 64 << 20
_SECONDS_TO_SIGN = 60.0


def check(request: Request, work: Path) -> None:
    """Raise FuelImageError unless the request's key, if it has one, can sign: better now than when all is made."""
    if request.signing_key is not None:
        with _signer(Path(request.signing_key), work / "signing-checked") as signer:
            signer.signature(b"")


@contextmanager
def beside(request: Request, artifacts: Iterable[Artifact]) -> Iterator[list[Staged]]:
    """Give the files that hold the digest of one artifact each, where they are wanted."""
    with ExitStack() as stack:
        files = []
        for one in artifacts if request.checksums else ():
            file = stack.enter_context(staged(request.output, one.filename + CHECKSUM_ENDING))
            file.file.write(_line(one.packed.sha256, one.filename).encode())
            files.append(file)
        yield files


@contextmanager
def listing(request: Request, digests: Mapping[str, str], work: Path) -> Iterator[list[Staged]]:
    """Give SHA256SUMS and its signature, where they are wanted: the *digests* of files, and what is listed there.

    What was listed is signed again only if this key has signed it. Nobody else may publish there meanwhile.
    """
    before = _read(request.output / SUMS)
    listed = _listed(before, request.output)
    others = {name: digest for name, digest in listed.items() if name not in digests}
    if not request.checksums:
        _remove(request.output / f"{name}{CHECKSUM_ENDING}" for name in digests)
        if others == listed:  # none of ours is in it
            yield []
            return
    with ExitStack() as stack:
        key = request.signing_key
        signer = None if key is None else stack.enter_context(_signer(Path(key), work / "signing"))
        if signer and others and not signer.has_signed(before, _read(request.output / SIGNATURE)):
            LOG.warning("%s has no signature by this key: what else it lists is left out", request.output / SUMS)
            others = {}
        wanted = {**others, **(digests if request.checksums else {})}
        text = "".join(_line(digest, name) for name, digest in sorted(wanted.items())).encode()
        files = [stack.enter_context(staged(request.output, name)) for name in (SUMS, SIGNATURE)[: 1 + bool(signer)]]
        files[0].file.write(text)
        if signer:
            files[1].file.write(signer.signature(text))
        elif (request.output / SIGNATURE).exists():
            LOG.warning("%s does not fit any more, and is removed", request.output / SIGNATURE)
            _remove([request.output / SIGNATURE])
        yield files


def lacking(request: Request, digests: Mapping[str, str]) -> str:
    """Return which of the checksum files that the request asks for is not there or does not fit; nothing if none is."""
    if not request.checksums:
        return ""
    listed = _listed(_read(request.output / SUMS), request.output)
    wrong = [name for name, digest in digests.items() if listed.get(name) != digest]
    wrong += [
        f"{name}{CHECKSUM_ENDING}"
        for name, digest in digests.items()
        if name != request.metadata_filename
        and _read(request.output / f"{name}{CHECKSUM_ENDING}") != _line(digest, name).encode()
    ]
    if request.signing_key is not None and not (request.output / SIGNATURE).exists():
        wrong.append(SIGNATURE)
    return f"the checksums lack {', '.join(wrong)}" if wrong else ""


def _remove(paths: Iterable[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)


def _read(path: Path) -> bytes:
    """Return what is in a file of checksums or a signature; nothing if there is none."""
    try:
        with path.open("rb") as file:
            return file.read(_LARGEST_BYTES)
    except FileNotFoundError:
        return b""


def _line(digest: str, name: str) -> str:
    """Return a line as sha256sum(1) reads it, for a name without a line feed."""
    return f"{digest}  {name}\n"


def _listed(sums: bytes, directory: Path) -> dict[str, str]:
    """Return the digests by name of what a SHA256SUMS lists and is in its *directory* still."""
    found = (_LINE.fullmatch(one) for one in sums.decode("utf-8", "replace").splitlines())
    return {one[2]: one[1] for one in found if one and one[2].isprintable() and (directory / one[2]).is_file()}


class _Signer:
    """A secret key that signs, in a keyring of its own."""

    def __init__(self, home: Path, fingerprint: str) -> None:
        self._home = home
        self._fingerprint = fingerprint

    def signature(self, content: bytes) -> bytes:
        """Return the armored signature of *content*. Raises CommandError."""
        file, target = self._home / "content", self._home / "content.asc"
        file.write_bytes(content)
        target.unlink(missing_ok=True)
        options = ("--detach-sign", "--armor", "--local-user", self._fingerprint, "--pinentry-mode", "error")
        _gpg(self._home, *options, "--output", target, file, doing=f"signing {SUMS}", advice=_NO_PASSPHRASE)
        return target.read_bytes()

    def has_signed(self, content: bytes, signature: bytes) -> bool:
        """Tell whether *signature* is one of *content* by this key."""
        files = self._home / "signature", self._home / "signed"
        for file, written in zip(files, (signature, content)):
            file.write_bytes(written)
        try:
            _gpg(self._home, "--verify", *files, doing=f"checking {SIGNATURE}")
        except CommandError:
            return False
        return True


_NO_PASSPHRASE = "the key must have no passphrase, and be in a file that only root reads"


@contextmanager
def _signer(key: Path, home: Path) -> Iterator[_Signer]:
    """Give the signer whose secret key is in the file *key*, of which no disk gets a copy. Raises FuelImageError."""
    try:
        secret = key.read_bytes()
    except OSError as error:
        raise HostError(f"reading the signing key {key}: {error.strerror}", advice=_NO_PASSPHRASE) from error
    home.mkdir()
    flags = kernel.MS_NOSUID | kernel.MS_NODEV
    with mounted("tmpfs", home, "tmpfs", flags, f"mode=0700,size={_KEYRING_BYTES}"):
        own = home / "key"
        own.write_bytes(secret)
        doing = f"reading the signing key {key}"
        try:
            _gpg(home, "--import", own, doing=doing, advice=_NO_PASSPHRASE)
            keys = _gpg(home, "--list-secret-keys", "--with-colons", doing=doing)
            fingerprints = [one.split(":")[9] for one in keys.splitlines() if one.startswith("fpr:")]
            if not fingerprints:
                raise HostError(f"{doing}: it holds no secret key", advice="export one: gpg --export-secret-keys")
            yield _Signer(home, fingerprints[0])
        finally:
            # The agent that gpg has started holds the keyring's directory, and has another in the user's below /run.
            for ending in (("--kill", "all"), ("--remove-socketdir",)):
                run("gpgconf", "--homedir", home, *ending, doing="ending the GnuPG agent", accept=(0, 1, 2))


def _gpg(home: Path, *arguments: str | Path, doing: str, advice: str = "") -> str:
    options = ("--homedir", home, "--batch", "--no-tty", "--quiet")
    return run(
        *("gpg", *options, *arguments),
        doing=doing,
        advice=advice,
        want_output=True,
        timeout_seconds=_SECONDS_TO_SIGN,
    ).text
