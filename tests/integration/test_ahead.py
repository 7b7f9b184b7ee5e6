"""The quick ways to a tree lead to the same tree as dpkg's own: unpacking ahead, and doing once what is put off."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from .conftest import Fuel, metadata_of, sample
from .images import Facts, ImageSet, facts

# With a kernel and its initial RAM disk, Python modules, a package with host keys, one with diversions (in the base
# system), one with file capabilities, and one with alternatives.
PACKAGES = [
    *("systemd-sysv", "udev", "linux-image-virtual", "initramfs-tools", "mdadm", "python3-yaml", "python3-requests"),
    *("openssh-server", "ca-certificates", "iputils-ping", "vim-tiny"),
]
# The program as it is, but that dpkg unpacks every package and nothing is put off. The files of the base system are
# there before, or nothing could run; dpkg, whose database knows nothing of them, unpacks its packages over them.
PLAIN = """
import sys
from fuel_image import cli
from fuel_image.tree import ahead, database, deferred
from fuel_image.tree.unpack import qualified

quick = ahead.unpack

def plain(tree, debs, *, everything=False):
    done = quick(tree, debs, everything=everything)
    for one in done:
        one.left = True
        for name in tree.names("/var/lib/dpkg/info"):
            if name.rpartition(".")[0] == qualified(one.control):
                tree.remove("/var/lib/dpkg/info/" + name)
    return done

ahead.unpack = plain
deferred.set_up = lambda chroot, coming: chroot
deferred.run = lambda chroot: None
database.filters = lambda tree: True
sys.exit(cli.main(sys.argv[1:]))
"""
UNORDERED = {"var/lib/apt/extended_states": b"\n\n", "var/lib/dpkg/triggers/File": b"\n"}
"""apt and dpkg write them in the order of their own tables; and what is between two entries."""


def test_the_tree_is_the_one_that_dpkg_unpacks(fuel: Fuel, tmp_path: Path) -> None:
    requests = [sample("noble", tmp_path / name, packages=PACKAGES) for name in ("quick", "plain")]
    logs = [tmp_path / f"{name}.log" for name in ("quick", "plain")]
    fuel(requests[0], "--no-cache", "--log-file", str(logs[0]))
    fuel(requests[1], "--no-cache", "--log-file", str(logs[1]), program=[sys.executable, "-c", PLAIN])
    sets = [ImageSet(metadata_of(request)) for request in requests]
    quick_by_dpkg, plain_by_dpkg = (count(r"\| Unpacking \S+ \(", log) for log in logs)
    assert 2 * quick_by_dpkg < plain_by_dpkg == len(sets[1].record["installed"])
    quick_disks, plain_disks = (count("update-initramfs: Generating", log) for log in logs)
    assert 1 == quick_disks < plain_disks
    quick, plain = (contents(images, tmp_path) for images in sets)
    assert {path for path in quick.keys() | plain.keys() if quick.get(path) != plain.get(path)} == set()
    assert len(quick) > 5000


def count(pattern: str, log: Path) -> int:
    return len(re.findall(pattern, log.read_text()))


def contents(images: ImageSet, workspace: Path) -> dict[str, Facts]:
    """Return everything that can be known of each path of an image set."""
    found = {}
    for mount in ("/", "/boot"):
        with images.mounted(mount, workspace) as point:
            for path in point.rglob("*"):
                found[f"{mount}:{path.relative_to(point)}"] = facts(path)
            for name, between in UNORDERED.items() if mount == "/" else ():
                parts = sorted((point / name).read_bytes().split(between))
                found[f"{mount}:{name}"] = found[f"{mount}:{name}"]._replace(detail=parts)
    return found
