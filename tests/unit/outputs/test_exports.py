"""What a request may ask of the tree besides images and disks."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fuel_image import plan
from fuel_image.errors import RequestError
from fuel_image.outputs.exports import EXPORTS, ExportRequest
from fuel_image.request import Request, parse

URI = "http://127.0.0.1/images/"
DISK = {"uri": f"{URI}disk.raw", "format": "raw"}
IMAGE = {"uri": f"{URI}node.img.gz", "format": "ext4", "container": "gzip"}


def asked(**wanted: Any) -> Request:
    repo = {"uri": "http://127.0.0.1/ubuntu", "suite": "noble", "section": "main"}
    document = {"output": "/srv/images", "codename": "noble", "repos": [repo], **wanted}
    return parse(json.dumps(document), environment={})


def test_each_kind_has_its_container() -> None:
    request = asked(**{kind: {"uri": f"{URI}set.{kind}"} for kind in EXPORTS})
    assert [(one.kind, one.filename, one.container) for one in request.exports] == [
        ("rootfs", "set.rootfs", "gzip"),
        ("squashfs", "set.squashfs", "raw"),
        ("kernel", "set.kernel", "raw"),
        ("initrd", "set.initrd", "raw"),
        ("initramfs", "set.initramfs", "gzip"),
    ]
    assert request.metadata_filename == "set.yaml"


def test_what_is_written_counts() -> None:
    request = asked(squashfs={"uri": f"{URI}a", "compression": "xz"}, rootfs={"uri": f"{URI}b", "container": "zstd"})
    assert request.exports == (ExportRequest("rootfs", "b", "zstd"), ExportRequest("squashfs", "a", "raw", "xz"))


@pytest.mark.parametrize(("wanted", "problem"), [
    ({"initramfs": {"uri": f"{URI}a"}}, "$.initramfs: is started by the kernel of the same tree: ask for the kernel"),
    ({"rootfs": {"uri": f"{URI}a"}, "kernel": {"uri": f"{URI}a.sha256"}}, "a.sha256 is also the file of the checksum"),
    ({"rootfs": {"uri": f"{URI}SHA256SUMS"}}, "SHA256SUMS is also the file of the checksums"),
    ({"rootfs": {"uri": URI}}, "$.rootfs.uri: the last part of the URI's path must name a file"),
    ({"rootfs": {"uri": f"{URI}a"}, "kernel": {"uri": f"{URI}a"}}, "$.kernel.uri: a is also the file of rootfs"),
    ({"rootfs": {"uri": f"{URI}a"}, "disks": [{**DISK, "uri": f"{URI}a"}]}, "$.rootfs.uri: a is also the file of"),
    ({"rootfs": {"uri": f"{URI}a"}, "signing_key": "key.asc"}, "$.signing_key: is not the absolute path of a file"),
    ({"rootfs": {"uri": f"{URI}a"}, "signing_key": "/k", "checksums": False}, "$.signing_key: signs SHA256SUMS, which"),
    ({"rootfs": {"uri": f"{URI}a", "container": "zip"}}, "$.rootfs.container"),
    ({"squashfs": {"uri": f"{URI}a", "compression": "lzo"}}, "$.squashfs.compression"),
    ({}, "asks for nothing: give image_data, disks, rootfs, squashfs, kernel, initrd, initramfs or several of them"),
])  # fmt: skip
def test_a_problem(wanted: dict[str, Any], problem: str) -> None:
    with pytest.raises(RequestError) as error:
        asked(**wanted)
    assert problem in str(error.value)


@pytest.mark.parametrize(("wanted", "checksums"), [
    ({"image_data": {"/": IMAGE}}, False),  # what deletes an environment's images knows no other names
    ({"image_data": {"/": IMAGE}, "checksums": True}, True),
    ({"image_data": {"/": IMAGE}, "signing_key": "/etc/key.asc"}, True),
    ({"image_data": {"/": IMAGE}, "disks": [DISK]}, True),
    ({"rootfs": {"uri": f"{URI}a"}}, True),
    ({"rootfs": {"uri": f"{URI}a"}, "checksums": False}, False),
])  # fmt: skip
def test_checksums_come_unasked_where_nobody_is_surprised(wanted: dict[str, Any], checksums: bool) -> None:
    assert asked(**wanted).checksums == checksums


def test_the_plan_names_the_tools_and_the_files() -> None:
    made = plan.make(asked(rootfs={"uri": f"{URI}a"}, squashfs={"uri": f"{URI}b"}, signing_key="/etc/key.asc"))
    assert {"mksquashfs", "gpg"} <= set(made.tools) and "cpio" not in made.tools
    assert "a: rootfs in gzip" in plan.described(made)
    assert "SHA256SUMS, and a .sha256 file for each, signed with /etc/key.asc" in plan.described(made)


def test_each_is_another_request() -> None:
    plain = asked(rootfs={"uri": f"{URI}a"})
    others = [
        asked(rootfs={"uri": f"{URI}a", "container": "raw"}),
        asked(rootfs={"uri": f"{URI}a"}, checksums=False),
        asked(rootfs={"uri": f"{URI}a"}, signing_key="/etc/key.asc"),
    ]
    assert len({one.digest for one in (plain, *others)}) == 1 + len(others)
