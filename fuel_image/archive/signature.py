"""Signatures of Release files.

Owns the decision whether a Release is signed by a key that counts for its repository. gpgv does the cryptography; its
status lines decide, not its exit code, which is also non-zero when one of several signatures is by a key unknown here.
It must not fetch a Release; it fetches a key whose fingerprint the request names.
"""

from __future__ import annotations

import base64
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

from fuel_image.archive.fetch import Fetcher
from fuel_image.errors import ReleaseError
from fuel_image.host.command import run
from fuel_image.request import Repository

SHIPPED_KEYS = Path(__file__).parent.parent / "keys"
_KEY_LIMIT_BYTES = 1 << 20
_ARMOR = ("-----BEGIN PGP PUBLIC KEY BLOCK-----", "-----END PGP PUBLIC KEY BLOCK-----")
_WORD = 1
_HASH_ALGORITHM = 7
_WEAK_HASHES = ("1", "2", "3")  # MD5, SHA-1, RIPEMD-160 (RFC 4880, section 9.4)
_STRANGER = "which is not among the keys that count for it"
_REASONS = {
    "BADSIG": "a signature does not match the content",
    "EXPSIG": "its signature has expired",
    "EXPKEYSIG": "the key that signed it has expired",
    "REVKEYSIG": "the key that signed it was revoked",
}


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
    """Take the ASCII armor (RFC 4880, section 6) off a key; gpgv reads binary keyrings only."""
    if not key.lstrip().startswith(b"-----BEGIN"):
        return key
    try:
        return b"".join(base64.b64decode(body) for body in _bodies(key.decode("ascii", "replace").replace("\r", "")))
    except ValueError as error:
        raise ReleaseError(f"reading a signing key: its armor is damaged ({error})") from error


def _bodies(text: str) -> Iterator[str]:
    """Give what each block of armor holds, in base64: no headers, and no checksum, which is a last line with ``=``."""
    begin, end = _ARMOR
    place = 0
    # A pattern would look for the end from each beginning again.
    while (start := text.find(begin, place)) >= 0 and (place := text.find(end, start)) >= 0:
        body = text[start + len(begin) : place].partition("\n\n")[2].rstrip()
        before, _, last = body.rpartition("\n")
        yield before if last.startswith("=") else body


def verified(content: bytes, detached: bytes | None, keys: bytes, repository: Repository, workspace: Path) -> str:
    """Return the text that was signed; *detached* is the signature of a plain Release, None for an InRelease.

    gpgv works in a directory of its own below *workspace*. Raises Unsigned with the reason and with what to add to the
    request.
    """
    with tempfile.TemporaryDirectory(prefix="gpgv-", dir=workspace) as name:
        directory = Path(name)
        (directory / "keys.gpg").write_bytes(keys)
        (directory / "content").write_bytes(content)
        arguments = ["--homedir", name, "--status-fd", "1", "--keyring", str(directory / "keys.gpg")]
        if detached is None:
            arguments += ["--output", str(directory / "text"), str(directory / "content")]
        else:
            (directory / "signature").write_bytes(detached)
            arguments += [str(directory / "signature"), str(directory / "content")]
        doing = f"verifying the signature of {repository.name}"
        status = run("gpgv", *arguments, doing=doing, want_output=True, accept=tuple(range(256))).text
        _judge(status, repository)
        text = content if detached is not None else (directory / "text").read_bytes()
    return text.decode("utf-8", "replace")


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
    reasons = []
    for group in groups:
        if "BADSIG" in group:
            raise unsigned(repository, _REASONS["BADSIG"], forged=True)
        reasons += [reason for word, reason in _REASONS.items() if word in group]
        reasons += [f"it is signed by {group[word][0]}, {_STRANGER}" for word in ("NO_PUBKEY",) if word in group]
        if "GOODSIG" in group and "VALIDSIG" in group:
            reason = _objection(group["VALIDSIG"], repository)
            if reason is None:
                return
            reasons.append(reason)
    raise unsigned(repository, "; ".join(dict.fromkeys(reasons)) or "it has no signature that counts")


def _objection(valid: list[str], repository: Repository) -> str | None:
    """Return why a valid signature does not count, if so."""
    if valid[_HASH_ALGORITHM] in _WEAK_HASHES:
        return "it is signed with a weak digest"
    # VALIDSIG names the signing (sub)key first and its primary key last.
    if repository.fingerprint is not None and repository.fingerprint not in (valid[0], valid[-1]):
        return f"it is signed by {valid[-1]}, not by the key with the fingerprint in the request"
    return None


def unsigned(repository: Repository, reason: str, *, forged: bool = False) -> Unsigned:
    """Return the error that says why a signature does not count, and what to add to the request."""
    error = Unsigned(
        f"verifying {repository.name} ({repository.uris[0]} {repository.suite}): {reason}",
        advice='give this repository a "key" (armored text, a path, or an https URL with "fingerprint"), or, '
        'if its bytes need no proof, "trusted": true',
    )
    error.forged = forged
    return error
