"""The root password.

Owns SHA-512 crypt (Ulrich Drepper, "Unix crypt using SHA-256 and SHA-512", akkadia.org/drepper/SHA-crypt.txt), because
Python's crypt module is gone since 3.13 and a password must not reach another program's argv; and the writing of
/etc/shadow.
"""

from __future__ import annotations

import hashlib

from fuel_image.errors import BuildError, TreeError
from fuel_image.tree.root import Tree

_SHADOW = "/etc/shadow"
_ADVICE = "add the package passwd"
_ROUNDS = 5000
_ALPHABET = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SALT_CHARACTERS = 16
_DIGEST_BYTES = 64


def sha512_crypt(password: str, salt: str) -> str:
    """Return the ``$6$`` hash of *password* with *salt*, of which up to 16 characters count."""
    secret, salted = password.encode(), salt.encode()[:_SALT_CHARACTERS]
    inner = hashlib.sha512(secret + salted + secret).digest()
    start = hashlib.sha512(secret + salted + _repeated(inner, len(secret)))
    length = len(secret)
    while length:
        start.update(inner if length & 1 else secret)
        length >>= 1
    digest = start.digest()
    p_bytes = _repeated(hashlib.sha512(secret * len(secret)).digest(), len(secret))
    s_bytes = _repeated(hashlib.sha512(salted * (16 + digest[0])).digest(), len(salted))
    for number in range(_ROUNDS):
        parts = [p_bytes if number & 1 else digest]
        if number % 3:
            parts.append(s_bytes)
        if number % 7:
            parts.append(p_bytes)
        parts.append(digest if number & 1 else p_bytes)
        digest = hashlib.sha512(b"".join(parts)).digest()
    return f"$6${salted.decode()}${_encoded(digest)}"


def _repeated(digest: bytes, length: int) -> bytes:
    return (digest * (length // len(digest) + 1))[:length]


def _encoded(digest: bytes) -> str:
    """Write the digest in crypt's base64: groups of three bytes, 21 apart, low bits first."""
    text = ""
    a, b, c = 0, 21, 42
    for _ in range(21):
        value = digest[a] << 16 | digest[b] << 8 | digest[c]
        text += "".join(_ALPHABET[value >> shift & 63] for shift in (0, 6, 12, 18))
        a, b, c = b + 1, c + 1, a + 1
    last = digest[_DIGEST_BYTES - 1]
    return text + _ALPHABET[last & 63] + _ALPHABET[last >> 6]


def salt_from(seed: str) -> str:
    """Return a salt that depends on nothing secret, so that the same request gives the same image."""
    digest = hashlib.sha256(f"fuel-image root salt {seed}".encode()).digest()
    return "".join(_ALPHABET[byte & 63] for byte in digest[:_SALT_CHARACTERS])


def set_root(tree: Tree, hashed: str) -> None:
    """Write *hashed*, what crypt(3) makes or ``*`` to lock, as root's password; raise BuildError if there is none."""
    try:
        lines = tree.read(_SHADOW).removesuffix("\n").split("\n")
    except TreeError as error:
        raise BuildError(f"setting the root password: {error.message}", advice=_ADVICE) from error
    for number, line in enumerate(lines):
        fields = line.split(":")
        if fields[0] == "root":
            lines[number] = ":".join(["root", hashed, *fields[2:]])
            tree.write(_SHADOW, "\n".join(lines) + "\n")
            return
    raise BuildError("setting the root password: /etc/shadow has no line for root", advice=_ADVICE)
