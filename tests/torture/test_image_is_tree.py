"""The image equals the tree.

A package of ours fills a tree with what is easily lost. A copy of the tree is kept, the published images are unpacked
and mounted together as a node would, and both are compared by find, stat, getfattr, sha256sum and rsync.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.integration import repository
from tests.integration.conftest import Fuel, metadata_of
from tests.integration.images import ImageSet, mounted, output_of

from . import oddities
from .conftest import Tried
from .listing import Facts, listing
from .mirror import Mirror

pytestmark = pytest.mark.xdist_group("image_is_tree")

KINDS = {
    "/": ("ext4", "gzip"),
    "/boot": ("ext2", "gzip"),
    "/home": ("ext3", "zstd"),
    "/srv": ("xfs", "xz"),
    "/var/spool": ("btrfs", "raw"),
    "/srv/of/nobody": ("ext4", "gzip"),  # no package has it
}
OWN = {"lost+found", "boot/lost+found", "home/lost+found", "srv/of/nobody/lost+found"}
"""What the ext family has for fsck."""


FSCK = {"xfs": ["xfs_repair", "-n"], "btrfs": ["btrfs", "check"]}


@dataclass(frozen=True)
class Both:
    """The tree as it was kept, and the images mounted one in the other; what other tools know of each."""

    published: ImageSet
    kept: Path
    node: Path
    tree: Mapping[str, Facts]
    images: Mapping[str, Facts]


@pytest.fixture(scope="session")
def both(fuel: Fuel, mirror: Mirror, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    work = tmp_path_factory.mktemp("odd")
    own = f"odd-{os.environ.get('PYTEST_XDIST_WORKER', '')}"  # no two workers' btrfs have the same UUID
    kept, node = work / "tree", work / "node"
    request = mirror.request(work / "output", packages=[oddities.NAME])
    request["repos"].append(oddities.made(work))
    request["image_data"] = {
        mount: {
            "uri": f"http://127.0.0.1/{own}{mount.replace('/', '-')}.img",
            "format": kind,
            "container": container,
            "label": label(mount),
        }
        for mount, (kind, container) in KINDS.items()
    }
    fuel(request, "--keep-tree", str(kept))
    kept.chmod(0o755)  # as it is in the tree: it was closed to all but root
    images = ImageSet(metadata_of(request))
    with ExitStack() as stack:
        for mount, (kind, _) in KINDS.items():
            raw = images.unpack(mount, work / f"raw{mount.replace('/', '-')}")
            stack.enter_context(mounted(raw, node / mount.lstrip("/"), kind))
        yield Both(images, kept, node, listing(kept), listing(node))


def label(mount: str) -> str:
    return f"L{mount}"[:12]  # as much as xfs takes


def held_by(both: Both, *fields: str) -> int:
    """Compare some of what is known of every path; return how many there are."""
    differing = {
        path: {field: (getattr(facts, field), getattr(both.images[path], field)) for field in fields}
        for path, facts in both.tree.items()
        if any(getattr(facts, field) != getattr(both.images[path], field) for field in fields)
    }
    assert differing == {}
    return len(both.tree)


def test_every_path(both: Both, tried: Tried) -> None:
    """Every path of the tree is in the image, whatever is in its name, and no other."""
    assert set(both.images) - OWN == set(both.tree)
    assert len(both.tree) > len(oddities.PLACES) * 2000
    tried(len(both.tree))


def test_every_type_mode_and_owner(both: Both, tried: Tried) -> None:
    """Every path has the type, the mode and the owner that it has in the tree."""
    assert {"mode-7777", "character", "block", "pipe"} <= {path.rpartition("/")[2] for path in both.tree}
    tried(held_by(both, "type", "mode", "owner", "group"))


def test_every_time(both: Both, tried: Tried) -> None:
    """Every path has the time that it has in the tree, in whole seconds."""
    assert all(facts.time.endswith(".0000000000") for facts in both.tree.values())
    assert both.tree["opt/odd/fine"].time == "981173106.0000000000"
    assert both.tree["opt/odd/before"].time.startswith("-")
    tried(held_by(both, "time"))


def test_every_attribute(both: Both, tried: Tried) -> None:
    """Every path has the extended attributes, ACLs and capabilities that it has in the tree."""
    known = {line.partition("=")[0] for facts in both.tree.values() for line in facts.attributes}
    assert {"security.capability", "system.posix_acl_access", "system.posix_acl_default", "user.note"} <= known
    tried(held_by(both, "attributes"))


def test_every_hard_link(both: Both, tried: Tried) -> None:
    """What is one file under many names in the tree is one in the image."""
    assert len(both.tree["opt/odd/hard"].names) == 3
    assert len(both.tree["opt/odd/soft"].names) == 4
    tried(held_by(both, "names"))


def test_every_content(both: Both, tried: Tried) -> None:
    """Every file holds the bytes, every link the target and every device the number that it has in the tree."""
    tried(held_by(both, "content"))


def test_rsync_would_do_nothing(both: Both) -> None:
    """rsync, which compares everything including checksums, finds nothing to do from tree to image, nor back."""
    options = ["--dry-run", "--archive", "--hard-links", "--acls", "--xattrs", "--checksum", "--numeric-ids"]
    options += ["--delete", "--itemize-changes", *(f"--exclude=/{path}" for path in OWN)]
    options += ["--filter=-x trusted.SGI_ACL_*"]
    assert output_of("rsync", *options, f"{both.kept}/", f"{both.node}/") == ""
    assert output_of("rsync", *options, f"{both.node}/", f"{both.kept}/") == ""


def test_holes_stay_holes(both: Both) -> None:
    """A file's holes take no room in the image."""
    for place in oddities.PLACES:
        found = (both.node / place.lstrip("/") / "odd/holes").stat()
        assert (found.st_size > 100 << 20, found.st_blocks * 512 < 1 << 20) == (True, True), place


@pytest.mark.parametrize("mount", KINDS)
def test_every_file_system(both: Both, mount: str, tmp_path: Path) -> None:
    """Each image is a clean file system of the kind and with the label that was asked for."""
    kind, _ = KINDS[mount]
    raw = both.published.unpack(mount, tmp_path / "raw")
    for tag, wanted in (("TYPE", kind), ("LABEL", label(mount))):
        assert output_of("blkid", "-p", "-s", tag, "-o", "value", raw).strip() == wanted
    output_of(*FSCK.get(kind, ["e2fsck", "-fn"]), raw)


def test_deeper_mount_points(both: Both, tmp_path: Path, tried: Tried) -> None:
    """A deeper mount point is an empty directory in the image above it, with its own mode and owner."""
    for above, below in (("/", "boot"), ("/", "home"), ("/", "srv"), ("/", "var/spool"), ("/srv", "of/nobody")):
        with both.published.mounted(above, tmp_path) as top:
            found, wanted = (top / below).stat(), (both.kept / above.lstrip("/") / below).stat()
            assert list((top / below).iterdir()) == []
            assert (found.st_mode, found.st_uid, found.st_gid) == (wanted.st_mode, wanted.st_uid, wanted.st_gid)
    tried(5)


def test_a_kept_tree_lacks_nothing(fuel: Fuel, mirror: Mirror, tmp_path: Path) -> None:
    """A copy of the tree that would lack attributes is not left."""
    (tmp_path / "host").mkdir()
    deb = repository.package(tmp_path, "noted", depends="attr", postinst="#!/bin/sh\nsetfattr -n user.a -v b /opt\n")
    request = mirror.request(tmp_path / "output", packages=["noted"])
    request["repos"].append({"name": "flat", "uri": repository.flat(tmp_path, deb), "suite": "/", "section": ""})
    subprocess.run(["mount", "-t", "ramfs", "ramfs", tmp_path / "host"], check=True)
    try:
        said = fuel(request, "--keep-tree", str(tmp_path / "host/tree"), expect=1).stderr
        assert "copying the tree to" in said and "Operation not supported" in said
        assert list((tmp_path / "host").iterdir()) == []
    finally:
        subprocess.run(["umount", tmp_path / "host"], check=True)
    assert not list((tmp_path / "output").glob("*"))
