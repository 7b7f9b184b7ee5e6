"""What gpgv's status lines mean (doc/DETAILS of GnuPG)."""

from __future__ import annotations

import pytest

from fuel_image.archive import signature
from fuel_image.archive.signature import Unsigned
from fuel_image.request import Repository

MINE, OTHER = "A" * 40, "B" * 40


def unchecked(code: int, fingerprint: str = OTHER, hash_algorithm: int = 10) -> str:
    words = f"{fingerprint[-16:]} 22 {hash_algorithm} 01 1795251475 {code} {fingerprint}"
    return f"[GNUPG:] NEWSIG\n[GNUPG:] ERRSIG {words}\n"


def group(word: str, fingerprint: str = MINE, hash_algorithm: int = 10, *, valid: bool = True) -> str:
    lines = ["NEWSIG", f"{word} {fingerprint[-16:]} somebody"]
    if valid:
        lines.append(f"VALIDSIG {fingerprint} 2026-01-01 1 0 4 0 1 {hash_algorithm} 01 {fingerprint}")
    return "".join(f"[GNUPG:] {line}\n" for line in lines)


def judge(status: str, fingerprint: str | None = None) -> None:
    signature._judge(status, Repository("mine", ("http://h",), "noble", ("main",), fingerprint=fingerprint))


@pytest.mark.parametrize(
    ("status", "fingerprint"),
    [
        (group("GOODSIG"), None),
        (group("GOODSIG"), MINE),
        (unchecked(9) + group("GOODSIG"), None),
        (group("EXPKEYSIG", OTHER) + group("GOODSIG"), None),  # archives roll their keys over
    ],
)
def test_what_counts(status: str, fingerprint: str | None) -> None:
    judge(status, fingerprint)


@pytest.mark.parametrize(
    ("status", "fingerprint", "reason"),
    [
        ("", None, "it has no signature that counts"),
        (unchecked(9), None, f"it is signed by {OTHER}, which is not among the keys that count"),
        (unchecked(6), None, "is not valid yet"),
        (unchecked(4), None, "cannot be checked"),
        (unchecked(1, hash_algorithm=1), None, "weak digest"),
        (group("EXPSIG"), None, "its signature has expired"),
        (group("EXPKEYSIG"), None, "the key that signed it has expired"),
        (group("REVKEYSIG"), None, "the key that signed it was revoked"),
        (group("GOODSIG", hash_algorithm=2), None, "weak digest"),
        (group("GOODSIG", OTHER), MINE, "not by the key with the fingerprint"),
        (group("REVKEYSIG", MINE) + group("GOODSIG", OTHER), MINE, "was revoked"),
        (group("BADSIG", valid=False) + group("GOODSIG"), None, "does not match the content"),
        (group("GOODSIG") + group("BADSIG", valid=False), None, "does not match the content"),
    ],
)
def test_what_does_not(status: str, fingerprint: str | None, reason: str) -> None:
    with pytest.raises(Unsigned, match=reason):
        judge(status, fingerprint)
