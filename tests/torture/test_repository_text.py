"""Bad input. What a repository says of itself and of its packages, with damage of every kind."""

from __future__ import annotations

import base64
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fuel_image.archive import armor, release, signature, stanza, trust
from fuel_image.archive.opening import _content
from fuel_image.archive.packages import Index, parse_dependencies
from fuel_image.archive.version import satisfies, sort_key
from tests.damage import flipped
from tests.unit.archive.test_opening import COMPRESSED

from .conftest import Tried
from .examples import EXAMPLES, many
from .harmless import harmless
from .nearly import nearly, nearly_text

pytestmark = pytest.mark.examples

DIGEST = "5f7ee1f6ac3d5ff0c3bcd0e4e6c1a2c3" * 2
RELEASE = f"""\
Origin: Debian
Label: Debian
Suite: stable
Version: 12.5
Codename: bookworm
Date: Sat, 10 Feb 2024 11:07:25 UTC
Valid-Until: Sat, 17 Feb 2024 11:07:25 UTC
Acquire-By-Hash: yes
NotAutomatic: yes
ButAutomaticUpgrades: yes
No-Support-for-Architecture-all: Packages
Architectures: all amd64 arm64
Components: main contrib
Description: Debian 12.5
MD5Sum:
 0ed6d4c8891eb86358b94bb35d9e4da4  1484322 main/Contents-all
SHA256:
 {DIGEST}  1484322 main/binary-amd64/Packages
 {DIGEST}    98581 main/binary-amd64/Packages.gz
"""
SIGNED = f"""\
-----BEGIN PGP SIGNED MESSAGE-----
Hash: SHA256

{RELEASE}-----BEGIN PGP SIGNATURE-----

iQIzBAEBCAAdFiEETKdRx6wRcBnUQMuM5aqxCFsAAnwFAmXHWP0ACgkQ5aqxCFsA
=abcd
-----END PGP SIGNATURE-----
"""
PACKAGES = f"""\
Package: apt
Version: 2.6.1
Priority: required
Essential: yes
Architecture: amd64
Depends: adduser, gpgv | gpgv2 | gpgv1, libapt-pkg6.0 (>= 2.6.1), libc6:any (>= 2.34) [amd64]
Pre-Depends: dpkg (>= 1.17.14)
Provides: apt-transport-https (= 2.6.1), tool
Source: apt (2.6.1+b1)
Filename: pool/main/a/apt/apt_2.6.1_amd64.deb
Size: 1375496
SHA256: {DIGEST}
Description: package manager
 with a line
 .
 and another

Package: libc6
Version: 2.36-9+deb12u4
Architecture: amd64
Depends: libgcc-s1
Filename: pool/main/g/glibc/libc6_2.36-9+deb12u4_amd64.deb
Size: 2758396
SHA256: {DIGEST}
"""
KEY = f"""\
-----BEGIN PGP PUBLIC KEY BLOCK-----
Version: GnuPG v1

{base64.b64encode(bytes(range(256))).decode()}
=abcd
-----END PGP PUBLIC KEY BLOCK-----
"""
FIELDS = [
    "\nSHA256:",
    "\nDate: ",
    "\nValid-Until: ",
    " +9999999999",
    "Sat, ",
    "\n ",
    "99999999999999999999999",
    ",",
    "UTC",
]
MARKS = ["-----BEGIN PGP SIGNED MESSAGE-----\n", "-----BEGIN PGP SIGNATURE-----", "-----END PGP PUBLIC KEY BLOCK-----"]
SYNTAX = [
    "|",
    ",",
    " (>= 1)",
    "(",
    ")",
    "[",
    "]",
    ":any",
    " " * 50,
    "\nPackage: apt",
    "\nProvides: ",
    "\nSize: ",
    "\n\n",
]
VERSIONS = ["1:2.36-9+deb12u4", "0.9~rc1-1", "2.6.1", "1.0+really0.9~git20240101.abcdef-0ubuntu1.1", "-", ":", "~~"]


@many
@given(nearly_text(RELEASE, odd=FIELDS))
@example(RELEASE.replace("17 Feb 2024 11:07:25 UTC", "17 Feb 2024 11:07:25 +9999999999999999999999"))
@example(RELEASE.replace("17 Feb 2024 11:07:25 UTC", "17 Feb 2024 11:07:25 -9999999999999999999999"))
def _release(text: str) -> None:
    with harmless():
        found = release.parse(text, "a repository")
        release.check_validity(found, "a repository")
        assert all(one.size_bytes >= 0 for one in found.files.values())
        time.gmtime(found.date or 0)


def test_release(tried: Tried) -> None:
    """A Release file is understood or refused, whatever is in it."""
    _release()
    tried(EXAMPLES)


@many
@given(nearly_text(SIGNED, RELEASE, odd=MARKS))
def _signed_text(text: str) -> None:
    with harmless():
        release.parse(trust._without_armor(text.encode()), "a repository")


def test_signed_text(tried: Tried) -> None:
    """A signed Release whose signature need not count is understood or refused, whatever is in it."""
    _signed_text()
    tried(EXAMPLES)


@many
@given(nearly(SIGNED.encode(), odd=[mark.encode() for mark in MARKS]))
def _taken_apart(message: bytes) -> None:
    with harmless(armor.Malformed):
        signed = armor.clear_signed(message)
        assert signed.signatures and b"-----BEGIN" not in signed.content


def test_signed_messages(tried: Tried) -> None:
    """A signed message is taken apart into its text and its signatures, or refused, whatever is in it."""
    _taken_apart()
    tried(EXAMPLES)


@many
@given(nearly(KEY.encode(), odd=[mark.encode() for mark in MARKS]))
def _key(content: bytes) -> None:
    with harmless():
        signature._binary(content)


def test_keys(tried: Tried) -> None:
    """A key is taken out of its armor or refused, whatever is in it."""
    _key()
    tried(EXAMPLES)


@many
@given(nearly(PACKAGES.encode(), odd=[piece.encode() for piece in SYNTAX]))
def _index(content: bytes) -> None:
    index = Index(lambda: content, DIGEST, 0, "an index")
    with harmless():
        names = [*index.names(), "tool"]
    for name in names:
        with harmless():
            found = list(index.named(name))
            assert all(one.sha256 == one.sha256.lower() for one in found)
            assert len(list(index.stanzas(found))) <= len(names) * 4
    with harmless():
        list(index.base())
    with harmless():
        list(index.providing("tool"))


def test_indices(tried: Tried) -> None:
    """An index of packages is understood or refused, whatever is in it."""
    _index()
    tried(EXAMPLES)


@many
@given(st.sampled_from([".gz", ".xz", ".bz2"]), st.data())
def _packed_index(ending: str, data: st.DataObject) -> None:
    content = data.draw(nearly(COMPRESSED[ending], flipped(COMPRESSED[ending], 4), COMPRESSED[ending] * 2))
    with harmless():
        _content(content, ending, "an index")


def test_packed_indices(tried: Tried) -> None:
    """A compressed index is unpacked or refused, whatever is in it."""
    _packed_index()
    tried(EXAMPLES)


@many
@given(nearly_text("a, b (>= 1) | c:any [amd64], d (<< 2:3~4)", odd=SYNTAX))
@example("a" + " " * 20_000 + "b")
@example("a (>= " + "1" * 20_000)
@example("a [" + "[" * 20_000)
def _dependencies(text: str) -> None:
    with harmless(ValueError):
        list(parse_dependencies(text))


def test_dependencies(tried: Tried) -> None:
    """A field of dependencies is understood or refused, whatever is in it."""
    _dependencies()
    tried(EXAMPLES)


@many
@given(nearly_text(*VERSIONS, odd=["~", "+", "-", ":", "0", "00", "a"]), nearly_text(*VERSIONS), nearly_text(*VERSIONS))
def _versions(one: str, other: str, third: str) -> None:
    with harmless():
        first, second, last = sorted((one, other, third), key=sort_key)
        assert satisfies(first, "<=", last) and satisfies(second, "<=", last) and satisfies(second, ">=", first)
        assert satisfies(one, "=", one) and not satisfies(one, "<<", one)


def test_versions(tried: Tried) -> None:
    """Any two texts compare as versions, in one order."""
    _versions()
    tried(EXAMPLES)


@many
@given(nearly_text(RELEASE, PACKAGES, odd=["\n ", "\n\t", "\n:", ": ", "\n#"]))
def _stanza(text: str) -> None:
    with harmless():
        fields = stanza.parse(text)
        assert all(name == name.strip().lower() and name for name in fields)


def test_stanzas(tried: Tried) -> None:
    """The fields of any text can be read."""
    _stanza()
    tried(EXAMPLES)
