"""The worst that one can be given to read, each read in a process of its own: ``python -m tests.torture.worst NAME``.

Owns the table WORST: what is read, by a name that says it, and what a person is told in the end. The process prints the
message, and how much memory it took at most, in MiB.
"""

from __future__ import annotations

import json
import resource
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable

from fuel_image import request
from fuel_image.archive import release, signature
from fuel_image.archive.packages import Index
from fuel_image.errors import FuelImageError

DIGEST = "5f7ee1f6ac3d5ff0c3bcd0e4e6c1a2c3" * 2
STANZA = f"Package: a\nVersion: 1\nArchitecture: all\nFilename: a.deb\nSize: 1\nSHA256: {DIGEST}\n"
UNDERSTOOD = "understood"


@dataclass(frozen=True)
class Worst:
    """What is read, what then must be said, and in how much memory, in MiB."""

    read: Callable[[], Any]
    says: str = UNDERSTOOD
    most_mib: int = 512


def _named(text: bytes, name: str = "a") -> Callable[[], Any]:
    return lambda: list(Index(lambda: text, DIGEST, 0, "an index").named(name))


def _index(*parts: str) -> Index:
    text = "".join(parts).encode()
    return Index(lambda: text, DIGEST, 0, "an index")


def _request(text: str) -> Callable[[], Any]:
    return lambda: request.parse(text, environment={})


KEY_BEGINS = b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n"
SIGNED_BEGINS = b"-----BEGIN PGP SIGNED MESSAGE-----\n"
SIGNATURE_BEGINS = b"-----BEGIN PGP SIGNATURE-----\n"


def _verified(content: bytes, detached: bytes | None = None) -> str:
    repository = request.Repository("r", ("http://mirror.example.org",), "stable", ("main",))
    return signature.verified(content, detached, b"", repository, Path())


WORST: Mapping[str, Worst] = {
    "a Release with 1,000,000 digests": Worst(
        lambda: release.parse("SHA256:\n" + f" {DIGEST} 1 main/binary-amd64/Packages\n" * 1_000_000, "r"), most_mib=1024
    ),
    "a Release with 1,000,000 fields": Worst(
        lambda: release.parse("".join(f"F{n}: x\n" for n in range(1_000_000)), "r"), "it has no SHA256 section", 1024
    ),
    "a stanza with 100,000 fields": Worst(
        lambda: list(_index(STANZA, *(f"F{n}: x\n" for n in range(100_000))).named("a"))
    ),
    "a stanza with 100,000 names": Worst(lambda: list(_index(STANZA, "Package: a\n" * 100_000).named("a"))),
    "a stanza that is essential 100,000 times": Worst(
        lambda: list(_index(STANZA, "Essential: yes\nPriority: required\n" * 100_000).base())
    ),
    "a line of 100 MB": Worst(
        lambda: list(_index(STANZA, "Depends: ", "a, " * 33_000_000).named("a")), "a stanza is longer than 4 MiB"
    ),
    "a name that is provided 50,000,000 times": Worst(
        lambda: list(_index(STANZA, "Provides: ", "a," * 50_000_000).providing("a")), "a stanza is longer than 4 MiB"
    ),
    "3,000,000 packages": Worst(
        lambda: list(_index("Package: a\n\n" * 3_000_000).named("a")), "more than 2,000,000 packages"
    ),
    "an index without an end of lines": Worst(lambda: list(_index("Package: ", "a" * 100_000_000).names())),
    "a key of nothing but beginnings": Worst(lambda: signature._binary(KEY_BEGINS * 30_000), "its armor is damaged"),
    "a key of nothing but headers": Worst(lambda: signature._binary(KEY_BEGINS + b"A:\n" * 300_000), "is damaged"),
    "a key of nothing but checksums": Worst(
        lambda: signature._binary(KEY_BEGINS + b"\n" + b"\n=AAAA" * 100_000), "its armor is damaged"
    ),
    "500,000 signatures": Worst(lambda: _verified(b"", b"\xc2\0" * 500_000 + b"\xcb\0"), "is something else"),
    "a signed text of 33,000,000 lines": Worst(
        lambda: _verified(SIGNED_BEGINS + b"\n" * 33_000_000), "it is no text with"
    ),
    "a signed text of blanks": Worst(
        lambda: _verified(SIGNED_BEGINS + b"\n" + b" " * 33_000_000), "it is no text with"
    ),
    "a signed text of dashes": Worst(
        lambda: _verified(SIGNED_BEGINS + b"\n" + b"- \n" * 10_000_000), "it is no text with"
    ),
    "900,000 signed texts in a row": Worst(lambda: _verified((SIGNED_BEGINS + b"\n") * 900_000), "it is no text with"),
    "a signed text with blanks in its lines": Worst(
        lambda: _verified(SIGNED_BEGINS + b"\n" + (b" " * 15_000 + b"x\n") * 2_000 + SIGNATURE_BEGINS),
        "beside its signature is something else",
    ),
    "a signature of nothing but beginnings": Worst(
        lambda: _verified(b"", SIGNATURE_BEGINS * 900_000), "is something else"
    ),
}


def main(name: str) -> None:
    """Read it and tell how it went."""
    said = UNDERSTOOD
    try:
        WORST[name].read()
    except FuelImageError as error:
        said = str(error)
    print(json.dumps([said, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10]))


if __name__ == "__main__":
    main(sys.argv[1])
