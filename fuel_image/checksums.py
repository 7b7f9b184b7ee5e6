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
from fuel_image.publish import Artifact, Staged, staged
from fuel_image.request import Request

LOG = logging.getLogger(__name__)

_SUMS = "SHA256SUMS"
_SIGNATURE = "SHA256SUMS.gpg"
"""As Ubuntu calls the two; the signature is armored there too."""
_ENDING = ".sha256"

_LINE = re.compile(r"([0-9a-f]{64}) [ *]([^/\x00]+)")
_LARGEST_BYTES = 16 << 20
_KEYRING_BYTES = 64 << 20
_SECONDS_TO_SIGN = 60.0


def check(request: Request, work: Path) -> None:
    """Raise FuelImageError unless the request's key, if it has one, can sign: better now than when all is made."""
    if request.signing_key is not None:
        with _signer(Path(request.signing_key), work / "signing-checked") as signer:
            signer.signature("")


@contextmanager
def beside(request: Request, artifacts: Iterable[Artifact]) -> Iterator[list[Staged]]:
    """Give the files that hold the digest of one artifact each, where they are wanted."""
    with ExitStack() as stack:
        files = []
        for one in artifacts if request.checksums else ():
            file = stack.enter_context(staged(request.output, one.filename + _ENDING))
            file.file.write(_line(one.packed.sha256, one.filename).encode())
            files.append(file)
        yield files


@contextmanager
def listing(request: Request, digests: Mapping[str, str], work: Path) -> Iterator[list[Staged]]:
    """Give SHA256SUMS and its signature, where they are wanted: the *digests* of files, and what is listed there.

    What was listed is signed again only if this key has signed it. Nobody else may publish there meanwhile.
    """
    if not request.checksums:
        yield []
        return
    with ExitStack() as stack:
        others = _listed(request.output)
        key = request.signing_key
        signer = None if key is None else stack.enter_context(_signer(Path(key), work / "signing"))
        if signer and others and not signer.has_signed(request.output):
            LOG.warning("%s has no signature by this key: what else it lists is left out", request.output / _SUMS)
            others = {}
        text = "".join(_line(digest, name) for name, digest in sorted({**others, **digests}.items()))
        files = [stack.enter_context(staged(request.output, name)) for name in (_SUMS, _SIGNATURE)[: 1 + bool(signer)]]
        files[0].file.write(text.encode())
        if signer:
            files[1].file.write(signer.signature(text))
        yield files
        if not signer:  # one that was made before is wrong now
            (request.output / _SIGNATURE).unlink(missing_ok=True)


def _line(digest: str, name: str) -> str:
    """Return a line as sha256sum(1) writes it, for a name that holds nothing that it would escape."""
    return f"{digest}  {name}\n"


def _listed(directory: Path) -> dict[str, str]:
    """Return the digests by name of what the directory's SHA256SUMS lists and is there still."""
    try:
        with (directory / _SUMS).open("rb") as file:
            lines = file.read(_LARGEST_BYTES).decode("utf-8", "replace").splitlines()
    except FileNotFoundError:
        return {}
    found = (_LINE.fullmatch(one) for one in lines)
    return {one[2]: one[1] for one in found if one and one[2].isprintable() and (directory / one[2]).is_file()}


class _Signer:
    """A secret key that signs, in a keyring of its own."""

    def __init__(self, home: Path, fingerprint: str) -> None:
        self._home = home
        self._fingerprint = fingerprint

    def signature(self, text: str) -> bytes:
        """Return the armored signature of *text*. Raises CommandError."""
        content, target = self._home / "content", self._home / "content.asc"
        content.write_text(text, encoding="utf-8")
        target.unlink(missing_ok=True)
        options = ("--detach-sign", "--armor", "--local-user", self._fingerprint, "--pinentry-mode", "error")
        _gpg(self._home, *options, "--output", target, content, doing=f"signing {_SUMS}", advice=_NO_PASSPHRASE)
        return target.read_bytes()

    def has_signed(self, directory: Path) -> bool:
        """Tell whether the directory's SHA256SUMS has a signature by this key."""
        try:
            _gpg(self._home, "--verify", directory / _SIGNATURE, directory / _SUMS, doing=f"checking {_SIGNATURE}")
        except CommandError:
            return False
        return True


_NO_PASSPHRASE = "the key must have no passphrase, and be in a file that only root reads"


@contextmanager
def _signer(key: Path, home: Path) -> Iterator[_Signer]:
    """Give the signer whose secret key is in the file *key*, which never leaves memory. Raises FuelImageError."""
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
            # the agent that gpg has started holds the keyring's directory
            run("gpgconf", "--homedir", home, "--kill", "all", doing="ending the GnuPG agent")


def _gpg(home: Path, *arguments: str | Path, doing: str, advice: str = "") -> str:
    options = ("--homedir", home, "--batch", "--no-tty", "--quiet")
    return run(
        *("gpg", *options, *arguments),
        doing=doing,
        advice=advice,
        want_output=True,
        timeout_seconds=_SECONDS_TO_SIGN,
    ).text
