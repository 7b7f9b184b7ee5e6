"""Records of published sets, read back: ours, those of fa_build_image, and what is neither."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from fuel_image import record
from fuel_image.metadata import END, sealed
from fuel_image.record import RecordError

FUEL_AGENT = """\
images:
- {container: gzip, container_md5: c1, container_name: env_1_ubuntu_1404_amd64.img.gz, container_size: 558628807,
   format: ext4, raw_md5: r1, raw_name: null, raw_size: 1447505920}
os: {major: 14, minor: 4, name: Ubuntu}
packages: [acl, vim]
repos: [{meta: null, name: ubuntu, priority: null, section: main, suite: trusty, type: deb, uri: 'http://127.0.0.1/u'}]
"""
OURS: dict[str, Any] = {
    **yaml.safe_load(FUEL_AGENT),
    "codename": "trusty",
    "arch": "amd64",
    "fuel_image_version": "1.0.0",
    "installed": [{"name": "acl", "version": "2.2", "arch": "amd64"}],
}


def test_a_record_of_another_program_says_less() -> None:
    found = record.parse(FUEL_AGENT)
    assert (found.system, found.version, found.arch, found.installed) == ("Ubuntu 14.04", None, None, {})
    assert found.wishes == ("acl", "vim")
    (image,) = found.images
    assert (image.filename, image.size_bytes, image.md5, image.sha256) == (
        "env_1_ubuntu_1404_amd64.img.gz", 558628807, "c1", None,
    )  # fmt: skip
    assert (image.raw, image.mount) == (record.Raw(1447505920, "r1", None), None)


def test_credentials_that_another_program_wrote_are_left_out() -> None:
    (source,) = record.parse(FUEL_AGENT.replace("http://", "http://user:s3cret@")).sources
    assert source.uri == "http://***@127.0.0.1/u"


def test_ours() -> None:
    found = record.parse(sealed(yaml.safe_dump(OURS)))
    assert (found.version, found.codename, found.installed) == ("1.0.0", "trusty", {("acl", "amd64"): "2.2"})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[]\n", "it is no mapping"),
        ("a: [\n", "while parsing"),
        ("os: {}\n", "it lacks 'name'"),
        (FUEL_AGENT.replace("container_name", "name"), "it lacks 'container_name'"),
        (FUEL_AGENT.replace("558628807", "many"), "no number"),
        (yaml.safe_dump(OURS), "cut short"),
        (sealed(yaml.safe_dump(OURS))[: -len(END)], "cut short"),
        (yaml.safe_dump(OURS) + END.lstrip(), "has changed since it was written"),
        (sealed(yaml.safe_dump(OURS)).replace("'2.2'", "'2.3'"), "has changed since it was written"),
        (sealed(yaml.safe_dump(OURS)).replace("fuel_image_v", "fuel_image_w"), "has changed since it was written"),
        # What the first program of this name wrote, in March 2015.
        ("- /: {md5: a, size: 1, filename: x, container: gzip, format: ext4}\n- repos: []\n", "it is no mapping"),
    ],
)
def test_what_is_no_record(text: str, said: str) -> None:
    with pytest.raises(RecordError, match=said):
        record.parse(text)


def test_debian_has_no_minor_number() -> None:
    text = FUEL_AGENT.replace("{major: 14, minor: 4, name: Ubuntu}", "{major: 12, minor: 0, name: Debian}")
    assert record.parse(text).system == "Debian 12"
