"""What a Release file says."""

from __future__ import annotations

import pytest

from fuel_image.archive.release import IndexFile, check_validity, parse
from fuel_image.errors import ReleaseError

DIGEST = "a" * 64
TEXT = f"""\
Origin: Ubuntu
Label: Ubuntu
Suite: yakkety
Version: 16.10
Codename: yakkety
Date: Thu, 13 Oct 2016 08:45:27 UTC
Valid-Until: Thu, 20 Oct 2016 08:45:27 UTC
Architectures: all amd64
Acquire-By-Hash: yes
Description: a: b
MD5Sum:
 d41d8cd98f00b204e9800998ecf8427e 0 main/binary-amd64/Packages
SHA256:
 {DIGEST} 12 main/binary-amd64/Packages
 {DIGEST} 7 main/binary-amd64/Packages.xz
"""


def test_fields_keep_their_text() -> None:
    release = parse(TEXT, "a repository")
    assert release.version == "16.10"  # YAML would make it 16.1
    assert release.date == 1476348327
    assert release.by_hash
    assert not release.all_in_each_architecture
    assert release.default_priority == 500
    assert release.files["main/binary-amd64/Packages.xz"] == IndexFile(7, DIGEST)


def test_priorities_that_a_release_asks_for() -> None:
    assert parse(f"NotAutomatic: yes\n{TEXT}", "r").default_priority == 1
    assert parse(f"NotAutomatic: yes\nButAutomaticUpgrades: yes\n{TEXT}", "r").default_priority == 100


def test_an_expired_release_is_refused() -> None:
    release = parse(TEXT, "the mirror")
    check_validity(release, "the mirror", now=1476348328)
    with pytest.raises(ReleaseError, match=r"the mirror: it was valid until 2016-10-20 08:45 UTC"):
        check_validity(release, "the mirror", now=1500000000)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("MD5Sum:\n d41d8cd98f00b204e9800998ecf8427e 0 Packages\n", "it has no SHA256 section"),
        ("<html>not found</html>", "it has no SHA256 section"),
        ("SHA256:\n short 1 Packages\n", "is no line of a SHA256 section"),
        (f"SHA256:\n {'../' * 21}x 1 Packages\n", "is no line of a SHA256 section"),
        (f"SHA256:\n {DIGEST} \u00b2 Packages\n", "is no line of a SHA256 section"),
        (f"Date: Thu, 13 Oct 99999 08:45:27 UTC\nSHA256:\n {DIGEST} 1 Packages\n", "is no date"),
        (f"Date: yesterday\nSHA256:\n {DIGEST} 1 Packages\n", "is no date"),
    ],
)
def test_what_is_no_release(text: str, reason: str) -> None:
    with pytest.raises(ReleaseError, match=reason):
        parse(text, "the mirror")
