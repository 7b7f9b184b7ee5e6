"""The worst that one can be given to read, each read in a process of its own: ``python -m tests.torture.worst NAME``.

Owns the table WORST: what is read, by a name that says it, and what a person is told in the end. The process prints the
message, and how much memory it took at most, in MiB.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fuel_image import record, request, settings
from fuel_image.archive import release, signature
from fuel_image.archive.packages import Index
from fuel_image.commands import asked
from fuel_image.errors import FuelImageError

from .worst_case import DIGEST, STANZA, UNDERSTOOD, Worst
from .worst_packed import PACKED

IMAGE = {"uri": "http://127.0.0.1/a.img", "format": "ext4", "container": "raw"}
REPOSITORY = {"uri": "http://mirror.example.org/ubuntu", "suite": "noble", "section": "main"}
BOMB = "a: &a [x]\n" + "".join(f"{b}: &{b} [{f'*{a},' * 9}]\n" for a, b in zip("abcdefghi", "bcdefghij"))


def _index(*parts: str) -> Index:
    text = "".join(parts).encode()
    return Index(lambda: text, DIGEST, 0, "an index")


def _request(document: Mapping[str, Any]) -> Any:
    whole = {"image_data": {"/": IMAGE}, "output": "/srv", "repos": [REPOSITORY], "codename": "noble", **document}
    return request.parse(json.dumps(whole), environment={})


KEY_BEGINS = b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n"
SIGNED_BEGINS = b"-----BEGIN PGP SIGNED MESSAGE-----\n"
SIGNATURE_BEGINS = b"-----BEGIN PGP SIGNATURE-----\n"


def _verified(content: bytes, detached: bytes | None = None) -> str:
    repository = request.Repository("r", ("http://mirror.example.org",), "stable", ("main",))
    return signature.verified(content, detached, b"", repository, Path())


WORST: Mapping[str, Worst] = {
    **PACKED,
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
    "a package of 999,999,999,999,999 bytes": Worst(
        lambda: list(_index(STANZA.replace("Size: 1", "Size: 999999999999999")).named("a"))
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
    "a request with 100,000 unknown keys": Worst(lambda: _request({f"k{n}": n for n in range(100_000)})),
    "a request with 100,000 wrong repositories": Worst(
        lambda: _request({"repos": [{}] * 100_000}), "the request has 1000 problems"
    ),
    "a request with a key 100,000 times": Worst(
        lambda: request.parse('{"a":1' + ',"a":1' * 100_000 + "}", environment={}), "given more than once"
    ),
    "a request with 100,000 keys, one of them twice": Worst(
        lambda: request.parse(json.dumps({str(n): n for n in range(100_000)})[:-1] + ',"1":1}', environment={}),
        "given more than once",
    ),
    "a request nested 100,000 deep": Worst(
        lambda: request.parse('{"repos":' + "[" * 100_000, environment={}), "nested too deeply"
    ),
    "a request of 1,000,000 brackets": Worst(
        lambda: request.parse("[" + "[]," * 1_000_000 + "[]]", environment={}), "must be an object"
    ),
    "a request without an end": Worst(
        lambda: request.parse(asked._text("/dev/zero"), environment={}), "longer than 16 MiB"
    ),
    "a configuration without an end": Worst(
        lambda: settings.effective(Path("/dev/zero"), {}), "longer than 1,048,576 bytes"
    ),
    "a record without an end": Worst(lambda: record.read(Path("/dev/zero")), "it is too long"),
    "a request for a reserve of a ronnabyte": Worst(
        lambda: _request({"image_data": {"/": {**IMAGE, "reserve": "999999999999999TiB"}}}), "is no size"
    ),
    "a record nested 100,000 deep": Worst(lambda: record.parse("[" * 100_000), "nested too deeply"),
    "a record of aliases of aliases": Worst(lambda: record.parse(BOMB + "packages: [*j]\n"), "aliases are not taken"),
    "a record of 16 MB of values": Worst(lambda: record.parse("- a\n" * 4_000_000), "more than 1,000,000 values"),
    "a record with a number of a million digits": Worst(
        lambda: record.parse("a: 1" + ":1" * 500_000), "is in no quotes"
    ),
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
    print(json.dumps([said, _most_kib() >> 10]))


def _most_kib() -> int:
    """Return the most memory that this program has had; getrusage(2) counts that of the process it was forked from."""
    status = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:"))


if __name__ == "__main__":
    main(sys.argv[1])
