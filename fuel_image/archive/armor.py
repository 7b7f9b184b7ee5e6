"""The form of signed messages.

Owns OpenPGP's ASCII armor, the cleartext signature framework (RFC 4880, sections 6 and 7) and the frames of packets
(section 4.2), all read more narrowly than GnuPG does, which skips what it does not know: what stands beside a signed
text, or in the place of a signature, is refused here and never interpreted. It must not verify anything.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass

_BEGINNING = b"-----BEGIN PGP SIGNED MESSAGE-----"
_SIGNATURES = b"\n-----BEGIN PGP SIGNATURE-----\n"
_HEAD = re.compile(rb"-----BEGIN PGP SIGNED MESSAGE-----[ \t]*(?:\nHash: [A-Za-z0-9, -]+)*")
_ODD = re.compile(rb"^-(?! )|[\0\r]|^[^\n]{16001}", re.MULTILINE)
"""What no text holds: a line that begins with a dash is escaped, and GnuPG cuts lines at 20,000 bytes."""
_ESCAPE = re.compile(rb"^- ", re.MULTILINE)
_BLANKS = re.compile(rb"(?<![ \t])[ \t]+$", re.MULTILINE)
_BLOCK = re.compile(
    rb"-----BEGIN PGP (?P<kind>SIGNATURE|PUBLIC KEY BLOCK)-----[ \t]*\n"
    rb"(?:[A-Za-z]+:[^\n]*\n)*[ \t]*\n"
    rb"(?P<body>[A-Za-z0-9+/=\s]*?)(?:\n=[A-Za-z0-9+/]{4}\s*)?\n"
    rb"-----END PGP (?P=kind)-----\s*"
)
_SIGNATURE_TAG = 2
_SIGNATURES_LIMIT_BYTES = 1 << 20


class Malformed(ValueError):
    """A message has not the form of a signed one; its text is the reason."""


@dataclass(frozen=True)
class Signed:
    """A text and the packets of its signatures; *content* is exactly what they sign."""

    content: bytes
    signatures: bytes


def is_clear_signed(message: bytes) -> bool:
    """Tell whether a message begins like one that holds its own signature."""
    return message.startswith(_BEGINNING)


def clear_signed(message: bytes) -> Signed:
    """Take a message with its own signature apart. Raises Malformed if anything but the two is in it."""
    head, _, rest = message.replace(b"\r\n", b"\n").partition(b"\n\n")
    text, begin, tail = (b"\n" + rest).partition(_SIGNATURES)
    text = text[1:]
    if not _HEAD.fullmatch(head) or not begin or _ODD.search(text):
        raise Malformed("it is no text with nothing but a signature after it")
    # Blanks at the end of a line are not signed, and neither is the end of the last line.
    return Signed(_BLANKS.sub(b"", _ESCAPE.sub(b"", text)), detached(begin[1:] + tail))


def detached(signature: bytes) -> bytes:
    """Return the packets of a signature that lies beside its text. Raises Malformed if they are no signatures.

    A whole signed message in the place of a signature would be verified with the text that is in it.
    """
    packets = signature
    if _is_armored(signature):
        text = signature.replace(b"\r\n", b"\n").strip() + b"\n"
        blocks = list(_BLOCK.finditer(text))
        if b"".join(block[0] for block in blocks) != text:
            raise Malformed("beside its signature is something else")
        packets = b"".join(map(_decoded, blocks))
    if not 0 < len(packets) <= _SIGNATURES_LIMIT_BYTES:
        raise Malformed("its signature is empty, or longer than any")
    place = 0
    while place < len(packets):
        tag, place = _packet(packets, place)
        if tag != _SIGNATURE_TAG:
            raise Malformed("in the place of its signature is something else")
    return packets


def keys(content: bytes) -> bytes:
    """Return the packets of a file of keys, armored or not. Raises Malformed."""
    if not _is_armored(content):
        return content
    blocks = list(_BLOCK.finditer(content.replace(b"\r\n", b"\n") + b"\n"))
    if not blocks:
        raise Malformed("its armor is damaged")
    return b"".join(map(_decoded, blocks))


def _is_armored(content: bytes) -> bool:
    return content.lstrip().startswith(b"-----BEGIN")


def _decoded(block: re.Match[bytes]) -> bytes:
    try:
        return base64.b64decode(block["body"])
    except binascii.Error as error:
        raise Malformed(f"its armor is damaged ({error})") from error


def _packet(packets: bytes, place: int) -> tuple[int, int]:
    """Return the tag of the packet at *place*, and where it ends. Lengths that come in pieces are for other packets."""
    header, rest = packets[place], packets[place + 1 : place + 6]
    if header & 0xC0 == 0xC0:
        tag, (width, size) = header & 0x3F, _new_length(rest)
    else:
        tag, width = header >> 2 & 0x0F, {0: 1, 1: 2, 2: 4}.get(header & 3, 0)
        size = int.from_bytes(rest[:width], "big")
        if not width or not header & 0x80:
            raise Malformed("its signature is no packet of OpenPGP")
    end = place + 1 + width + size
    if len(packets) < end:
        raise Malformed("its signature breaks off")
    return tag, end


def _new_length(octets: bytes) -> tuple[int, int]:
    """Return how many octets tell the length of a packet of the new format, and the length."""
    first = octets[0] if octets else 0
    if first < 192:
        return 1, first
    if first < 224:
        return 2, (first - 192 << 8) + int.from_bytes(octets[1:2], "big") + 192
    if first == 255:
        return 5, int.from_bytes(octets[1:5], "big")
    raise Malformed("its signature has a length in pieces")
