"""What a tree holds survives in every file system and every container."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path

import pytest

from . import repository
from .conftest import Fuel, metadata_of, sample
from .images import ImageSet, output_of

POSTINST = r"""#!/bin/sh
set -eu
for place in /opt /srv /var/lib /var/spool /boot; do
    mkdir "$place/specimen"
    cd "$place/specimen"
    cp /bin/true setuid && chmod 4755 setuid && chown 7:8 setuid && chmod 6755 setuid
    cp /bin/true capable && setcap cap_net_raw+ep capable
    echo one > hard && ln hard link-to-hard
    ln -s "a target that is so long that it does not fit into an inode of the ext family of file systems" symlink
    mknod device c 1 3 && mkfifo fifo
    truncate -s 100M sparse && echo end >> sparse
    echo acl > acl && setfacl -m u:7:rwx,g:8:r acl
    mkdir -m 1777 sticky && setfacl -d -m u:7:rx sticky
    echo x > attribute && setfattr -n user.note -v "a value" attribute
    touch -d "2001-02-03 04:05:06 UTC" old
    echo name > "$(printf 'a\nname with \\ and \303\274 and \377')"
done
for place in /boot /srv /var/spool; do chown 7:8 $place && chmod 2750 $place; done
"""
# One build for all: kinds and containers are dealt to the mount points.
IMAGES = {
    "/": ("ext4", "zstd", "opt"),
    "/srv": ("btrfs", "raw", ""),
    "/var": ("ext3", "xz", "lib"),
    "/var/spool": ("xfs", "gzip", ""),
    "/boot": ("ext2", "gzip", ""),
}


@pytest.fixture(scope="module")
def image_set(fuel: Fuel, tmp_path_factory: pytest.TempPathFactory) -> ImageSet:
    work = tmp_path_factory.mktemp("filesystems")
    deb = repository.package(work, "specimen", depends="libcap2-bin, acl, attr, coreutils", postinst=POSTINST)
    request = sample(None, work / "output", packages=["specimen"])
    request["repos"].append(
        {"name": "flat", "uri": repository.flat(work, deb), "suite": "/", "section": "", "priority": 1100}
    )
    request["image_data"] = {
        mount: {
            "uri": f"http://127.0.0.1/set{mount.replace('/', '-')}.img",
            "format": kind,
            "container": container,
            "label": f"L{mount}"[:12],
        }
        for mount, (kind, container, _) in IMAGES.items()
    }
    fuel(request)
    return ImageSet(metadata_of(request))


@pytest.mark.parametrize("mount", IMAGES)
def test_everything_survives(image_set: ImageSet, mount: str, tmp_path: Path) -> None:
    kind, _, below = IMAGES[mount]
    raw = image_set.unpack(mount, tmp_path / "raw")
    assert output_of("blkid", "-p", "-s", "TYPE", "-o", "value", raw).strip() == kind
    assert output_of("blkid", "-p", "-s", "LABEL", "-o", "value", raw).strip() == f"L{mount}"[:12]
    raw.unlink()
    with image_set.mounted(mount, tmp_path) as tree:
        specimen = tree / below / "specimen"
        setuid = (specimen / "setuid").stat()
        assert (stat.S_IMODE(setuid.st_mode), setuid.st_uid, setuid.st_gid) == (0o6755, 7, 8)
        assert output_of("getcap", specimen / "capable").split()[-1] == "cap_net_raw=ep"
        assert (specimen / "hard").stat().st_ino == (specimen / "link-to-hard").stat().st_ino
        assert (specimen / "hard").stat().st_nlink == 2
        assert os.readlink(specimen / "symlink").endswith("of the ext family of file systems")
        device = (specimen / "device").stat()
        assert stat.S_ISCHR(device.st_mode) and device.st_rdev == os.makedev(1, 3)
        assert stat.S_ISFIFO((specimen / "fifo").stat().st_mode)
        sparse = (specimen / "sparse").stat()
        assert (sparse.st_size, sparse.st_blocks * 512 < 1 << 20) == (100 * (1 << 20) + 4, True)
        assert "user:7:rwx" in output_of("getfacl", "--numeric", "--absolute-names", specimen / "acl")
        assert "default:user:7:r-x" in output_of("getfacl", "--numeric", "--absolute-names", specimen / "sticky")
        assert stat.S_IMODE((specimen / "sticky").stat().st_mode) & 0o7777 == 0o1777
        assert output_of("getfattr", "--only-values", "-n", "user.note", specimen / "attribute") == "a value"
        assert (specimen / "old").stat().st_mtime == 981173106
        assert b"a\nname with \\ and \xc3\xbc and \xff" in os.listdir(os.fsencode(specimen))


@pytest.mark.parametrize("mount", ["/boot", "/srv", "/var/spool"])
def test_the_root_directory_has_the_attributes_of_the_mount_point(
    image_set: ImageSet, mount: str, tmp_path: Path
) -> None:
    with image_set.mounted(mount, tmp_path) as tree:
        found = tree.stat()
    assert (stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid) == (0o2750, 7, 8)


def test_deeper_mount_points_are_empty_directories_with_their_own_attributes(
    image_set: ImageSet, tmp_path: Path
) -> None:
    with image_set.mounted("/", tmp_path) as tree:
        assert [list((tree / name).iterdir()) for name in ("srv", "var", "boot")] == [[], [], []]
    with image_set.mounted("/var", tmp_path) as tree:
        assert list((tree / "spool").iterdir()) == []
        assert (tree / "lib/dpkg/status").exists()


def test_every_file_system_is_clean(image_set: ImageSet, tmp_path: Path) -> None:
    fsck = {"xfs": ["xfs_repair", "-n"], "btrfs": ["btrfs", "check"]}
    for mount, (kind, _, _) in IMAGES.items():
        raw = image_set.unpack(mount, tmp_path / "raw")
        subprocess.run(
            [*fsck.get(kind, ["e2fsck", "-fn"]), raw], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        raw.unlink()
