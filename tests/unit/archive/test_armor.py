"""The form of signed messages; what GnuPG makes is tried in tests/torture/test_signatures.py."""

from __future__ import annotations

import base64

import pytest

from fuel_image.archive import armor
from fuel_image.archive.armor import Malformed

BODY = b"x" * 5
SHORT, MIDDLE, LONG = b"\x88\x05" + BODY, b"\x89\0\x05" + BODY, b"\x8a\0\0\0\x05" + BODY
NEW, NEW_MIDDLE, NEW_LONG = b"\xc2\x05" + BODY, b"\xc2\xc0\x08" + b"x" * 200, b"\xc2\xff\0\0\0\x05" + BODY


@pytest.mark.parametrize("packets", [SHORT, MIDDLE, LONG, NEW, NEW_MIDDLE, NEW_LONG, SHORT + NEW + MIDDLE])
def test_signatures_beside_their_text(packets: bytes) -> None:
    assert armor.detached(packets) == packets
    text = base64.encodebytes(packets)
    block = b"-----BEGIN PGP SIGNATURE-----\nVersion: 1\n\n%s=abcd\n-----END PGP SIGNATURE-----\n" % text
    assert armor.detached(block) == armor.detached(block.replace(b"\n", b"\r\n")) == packets
    assert armor.detached(block + block) == packets + packets


@pytest.mark.parametrize(
    ("packets", "reason"),
    [
        (b"", "is empty"),
        (b"no signature", "no packet of OpenPGP"),
        (b"\x8b" + BODY, "no packet of OpenPGP"),
        (b"\xc2\xe1x\x01x", "a length in pieces"),
        (b"\xcb\x05" + BODY, "something else"),
        (SHORT + b"\xac\x05" + BODY, "something else"),
        *((whole[:end], "breaks off|is empty") for whole in (SHORT, LONG, NEW, NEW_LONG) for end in range(len(whole))),
    ],
)
def test_what_is_no_signature(packets: bytes, reason: str) -> None:
    with pytest.raises(Malformed, match=reason):
        armor.detached(packets)


def test_keys_may_stand_among_other_words() -> None:
    block = b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nAAAA\n-----END PGP PUBLIC KEY BLOCK-----"
    assert armor.keys(block + b"\nthe other:\n" + block) == b"\0" * 6
    assert armor.keys(b"\x99binary") == b"\x99binary"
    with pytest.raises(Malformed, match="its armor is damaged"):
        armor.keys(block[:-5])
