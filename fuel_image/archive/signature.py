"""Signatures of Release files.

Owns the decision whether a Release is signed by a key that counts for its repository. gpgv does the cryptography; its
status lines decide, not its exit code, which is also non-zero when one of several signatures is by a key unknown here.
It must not fetch a Release; it fetches a key whose fingerprint the request names.
"""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from fuel_image.archive import armor
from fuel_image.archive.fetch import Fetcher
from fuel_image.errors import ReleaseError
from fuel_image.host.command import run
from fuel_image.request import Repository

SHIPPED_KEYS = Path(__file__).parent.parent / "keys"
_KEY_LIMIT_BYTES = 1 << 20
_WORD = 1
_WEAK_HASHES = ("1", "2", "3")  # MD5, SHA-1, RIPEMD-160 (RFC 4880, section 9.4)
_FORM = '"key" (armored text, a path, or an https URL with "fingerprint")'
_NEEDS_KEY = f"give this repository a {_FORM}"
_NEEDS_NEW_KEY = f"give this repository its owner's new key as {_FORM}"
_NEEDS_SIGNING = "have its Release signed anew, with SHA-256 or better"
_NEEDS_MIRROR = 'check the mirror and what lies between it and this host, or name others in "uris"'


@dataclass(frozen=True)
class Objection:
    """Why a signature does not count, and what to do; *forged* when it contradicts the content."""

    reason: str
    advice: str = _NEEDS_KEY
    forged: bool = False


NO_SIGNATURE = Objection("its Release is not signed")
_NONE_COUNTS = Objection("it has no signature that counts")
_WEAK = Objection("it is signed with a weak digest", _NEEDS_SIGNING)
_BAD = Objection("a signature does not match the content", _NEEDS_MIRROR, forged=True)
_OBJECTIONS = {
    "BADSIG": _BAD,
    "EXPSIG": Objection("its signature has expired", _NEEDS_SIGNING),
    "EXPKEYSIG": Objection("the key that signed it has expired", _NEEDS_NEW_KEY),
    "REVKEYSIG": Objection("the key that signed it was revoked", _NEEDS_NEW_KEY),
}
"""By the status line that each signature has instead of GOODSIG."""


class Unsigned(ReleaseError):
    """A Release is not signed by any key that counts; *forged* when a signature contradicts the content."""

    forged = False


def keyring(repository: Repository, fetcher: Fetcher, stopped: threading.Event) -> bytes:
    """Return the keys that count for *repository*, in binary: the request's own, else the shipped and the site's."""
    if repository.key is None:
        files = [*sorted(SHIPPED_KEYS.glob("*.asc")), *repository.keyrings]
        return b"".join(_binary(_read(path, repository.name)) for path in files)
    if "-----BEGIN PGP" in repository.key:
        return _binary(repository.key.encode())
    if repository.key.startswith("https://"):
        name = f"the key of {repository.name}"
        return _binary(fetcher.small((repository.key,), name, _KEY_LIMIT_BYTES, stopped))
    return _binary(_read(Path(repository.key), repository.name))


def _read(path: Path, name: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ReleaseError(f"reading the key of {name}: {path}: {error.strerror}") from error


def _binary(key: bytes) -> bytes:
    """Take the armor off a key; gpgv reads binary keyrings only."""
    try:
        return armor.keys(key)
    except armor.Malformed as error:
        raise ReleaseError(f"reading a signing key: {error}") from error


def verified(content: bytes, detached: bytes | None, keys: bytes, repository: Repository, workspace: Path) -> str:
    """Return the text that was signed; *detached* is the signature of a plain Release, None for an InRelease.

    gpgv gets exactly what is read afterwards, and nothing but signatures beside it, in a directory of its own below
    *workspace*. Raises Unsigned with the reason and with what to add to the request.
    """
    try:
        signed = armor.clear_signed(content) if detached is None else armor.Signed(content, armor.detached(detached))
    except armor.Malformed as error:
        raise unsigned(repository, Objection(str(error), _NEEDS_MIRROR, forged=True)) from error
    with tempfile.TemporaryDirectory(prefix="gpgv-", dir=workspace) as name:
        directory = Path(name)
        files = {"keys.gpg": keys, "signature": signed.signatures, "content": signed.content}
        for file, written in files.items():
            (directory / file).write_bytes(written)
        # A keyring by its name alone lies in the home directory; in a path a colon would have a meaning of its own.
        keyring_, signature_, content_ = files
        arguments = ["--homedir", name, "--status-fd", "1", "--keyring", keyring_]
        arguments += [str(directory / file) for file in (signature_, content_)]
        doing = f"verifying the signature of {repository.name}"
        status = run("gpgv", *arguments, doing=doing, want_output=True, accept=tuple(range(256))).text
    _judge(status, repository)
    text = signed.content.decode("utf-8", "replace")
    return text if detached is not None else f"{text}\n"


def _judge(status: str, repository: Repository) -> None:
    """Raise Unsigned unless gpgv's status lines (doc/DETAILS of GnuPG) hold a signature that counts, and no bad one.

    The lines of each signature follow its NEWSIG. gpgv calls a signature by an expired or revoked key valid too: only
    GOODSIG says that nothing is wrong with it. Such a one beside a good one is how archives roll their keys over.
    """
    groups: list[dict[str, list[str]]] = []
    for line in status.splitlines():
        words = line.split()
        if words[:1] != ["[GNUPG:]"] or len(words) < _WORD + 1:
            continue
        if words[_WORD] == "NEWSIG" or not groups:
            groups.append({})
        groups[-1].setdefault(words[_WORD], words[_WORD + 1 :])
    objections = [_objection(group, repository) for group in groups]
    if _BAD in objections:
        raise unsigned(repository, _BAD)
    if None not in objections:
        every = list(dict.fromkeys(one for one in objections if one is not None))
        found = [one for one in every if one is not _NONE_COUNTS] or [_NONE_COUNTS]
        raise unsigned(repository, replace(found[0], reason="; ".join(one.reason for one in found)))


def _objection(group: Mapping[str, Sequence[str]], repository: Repository) -> Objection | None:
    """Return why the signature with these status lines does not count, if so."""
    if "ERRSIG" in group:
        return _unchecked(*group["ERRSIG"])
    if "GOODSIG" not in group or "VALIDSIG" not in group:
        return next((objection for word, objection in _OBJECTIONS.items() if word in group), _NONE_COUNTS)
    # VALIDSIG names the signing (sub)key first and its primary key last.
    signer, *_, primary = group["VALIDSIG"]
    if group["VALIDSIG"][7] in _WEAK_HASHES:
        return _WEAK
    if repository.fingerprint not in (None, signer, primary):
        return Objection(f"it is signed by {primary}, not by the key with the fingerprint in the request")
    return None


def _unchecked(
    key: str, _algorithm: str, digest: str, _class: str, _time: str, code: str, fingerprint: str = "-", *_: str
) -> Objection:
    """Return why gpgv could not check a signature, from the words of its ERRSIG."""
    signer = key if fingerprint == "-" else fingerprint
    if digest in _WEAK_HASHES:
        return _WEAK
    if code == "9":  # GPG_ERR_NO_PUBKEY
        return Objection(f"it is signed by {signer}, which is not among the keys that count for it")
    if code == "6":  # GPG_ERR_BAD_PUBKEY
        return Objection(f"the key {signer} is not valid yet", f"check this host's clock; or {_NEEDS_KEY}")
    return Objection(f"its signature by {signer} cannot be checked (gpgv's words are in the log)")


def unsigned(repository: Repository, objection: Objection) -> Unsigned:
    """Return the error that says why a signature does not count, and what to add to the request."""
    error = Unsigned(
        f"verifying {repository.name} ({repository.uris[0]} {repository.suite}): {objection.reason}",
        advice=f'{objection.advice}, or, if its bytes need no proof, "trusted": true',
    )
    error.forged = objection.forged
    return error
