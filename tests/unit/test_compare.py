"""What is said of two sets."""

from __future__ import annotations

import dataclasses

from fuel_image import record
from fuel_image.compare import differences

from .test_record import FUEL_AGENT

OLD = dataclasses.replace(
    record.parse(FUEL_AGENT),
    installed={("acl", "amd64"): "1.9", ("curl", "amd64"): "2", ("libc6", "amd64"): "3", ("vim", "amd64"): "4"},
)


def test_the_same() -> None:
    assert differences(OLD, OLD) == []


def test_packages() -> None:
    new = dataclasses.replace(
        OLD,
        installed={("acl", "amd64"): "1.10", ("curl", "amd64"): "2~rc1", ("libc6", "amd64"): "3", ("tree", "all"): "5"},
    )
    assert differences(OLD, new) == [
        "packages: 1 added, 1 removed, 1 upgraded, 1 downgraded",
        "  + tree 5 (all)",
        "  - vim 4 (amd64)",
        "  ^ acl 1.9 -> 1.10",
        "  v curl 2 -> 2~rc1",
    ]


def test_a_set_that_does_not_say_what_is_installed() -> None:
    assert differences(record.parse(FUEL_AGENT), OLD) == ["packages: one of the sets does not say what is installed"]


def test_images_and_where_they_come_from() -> None:
    image, source = OLD.images[0], OLD.sources[0]
    assert image.raw is not None
    new = dataclasses.replace(
        OLD,
        wishes=("acl",),
        images=(
            dataclasses.replace(image, raw=dataclasses.replace(image.raw, md5="r2"), size_bytes=600_000_000),
            dataclasses.replace(image, filename="env_1_ubuntu_1404_amd64-boot.img.gz"),
        ),
        sources=(dataclasses.replace(source, release_sha256="1"), dataclasses.replace(source, name="updates")),
    )
    assert differences(OLD, new) == [
        "asked for: acl vim -> acl",
        "repository ubuntu: changed",
        "repository updates: new",
        "image of env_1_ubuntu_1404_amd64-boot.img.gz: new",
        "image of env_1_ubuntu_1404_amd64.img.gz: file 558.6 MB -> 600.0 MB, image 1,447.5 MB -> 1,447.5 MB",
    ]
    assert differences(new, OLD)[1:4] == [
        "repository ubuntu: changed",
        "repository updates: gone",
        "image of env_1_ubuntu_1404_amd64-boot.img.gz: gone",
    ]
