"""What fuel-agent makes of good images: a machine with the tree that was built, that starts from its own disk."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pexpect
import pytest

from tests.integration.images import ImageSet, output_of

from . import nginx
from .machine import MAC, Machine, Outcome, as_served, machine, mounted_together

pytestmark = pytest.mark.node

START_SECONDS = 300


@dataclass(frozen=True)
class Copied:
    """A machine after do_copyimage, what nginx was asked for, and in what the tree is another than was published."""

    machine: Machine
    images: dict[str, dict[str, str]]
    outcome: Outcome
    requests: str
    differences: list[str]


def differences(one: Path, other: Path) -> list[str]:
    """Return in what two trees differ, as rsync sees it from either side.

    Names, types, modes, owners, sizes, content, times of all but directories, hard links, ACLs, extended attributes.
    """
    argv = ["rsync", "--archive", "--hard-links", "--acls", "--xattrs", "--delete", "--omit-dir-times"]
    argv += ["--checksum", "--dry-run", "--itemize-changes"]
    sides = ((one, other), (other, one))
    return [line for source, target in sides for line in output_of(*argv, f"{source}/", f"{target}/").splitlines()]


@pytest.fixture(scope="module")
def raw(image_set: ImageSet, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Path]]:
    """The images by mount point, unpacked by gzip."""
    work = tmp_path_factory.mktemp("raw")
    mounts = [str(image["mount"]) for image in image_set.record["images"]]
    yield {mount: image_set.unpack(mount, work / str(number)) for number, mount in enumerate(mounts)}
    shutil.rmtree(work)


@pytest.fixture(scope="module")
def copied(
    image_set: ImageSet, raw: dict[str, Path], agent_python: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Copied]:
    work = tmp_path_factory.mktemp("copied")
    served = nginx.serving(image_set.path.parent, work / "nginx")
    with served as url, machine(agent_python, work / "disk") as node:
        images = as_served(image_set, url)
        outcome = node.run(images, "do_clean_filesystems", "do_copyimage")
        assert outcome.error is None, outcome.log
        published = mounted_together(raw, work / "published")
        with published as one, mounted_together(node.partitions, work / "node") as other:
            found = differences(one, other)
        yield Copied(node, images, outcome, (work / "nginx/access.log").read_text(), found)


@pytest.fixture(scope="module")
def bootable(copied: Copied) -> Machine:
    outcome = copied.machine.run(copied.images, "do_bootloader")
    assert outcome.error is None, outcome.log
    return copied.machine


def test_it_knew_and_verified_what_it_fetched(copied: Copied, image_set: ImageSet) -> None:
    """Without metadata, or with metadata that it does not understand, it would check nothing and be content."""
    names = {str(one["container_name"]): one for one in image_set.record["images"]}
    assert {one["uri"].rpartition("/")[2]: (one["size"], one["md5"]) for one in copied.outcome.images} == {
        name: (one["raw_size"], one["raw_md5"]) for name, one in names.items()
    }
    assert re.findall("Checksum matches successfully: md5=(\\w+)", copied.outcome.log) == [
        one["md5"] for one in copied.outcome.images
    ]
    for name in (image_set.path.name, *names):
        assert f'"GET /targetimages/{name} HTTP/1.1" 206' in copied.requests


def test_the_file_systems_have_grown_to_fill_their_partitions(copied: Copied, image_set: ImageSet) -> None:
    for mount in copied.images:
        device = copied.machine.partitions[mount]
        fields = dict(line.split(":", 1) for line in output_of("dumpe2fs", "-h", device).splitlines() if ":" in line)
        size_bytes = int(fields["Block count"]) * int(fields["Block size"])
        assert size_bytes == int(output_of("blockdev", "--getsize64", device)) > image_set.image(mount)["raw_size"]


def test_the_node_has_the_tree_that_was_built(copied: Copied) -> None:
    """That is what gzip and the kernel say is in the images: the build has compared these with its tree.

    Where /var/log has no image, fuel-agent moves there what the root image has, without ACLs.
    """
    moved = [".d.......a. var/log/journal/", "*deleting   var/log/lost+found/", "cd+++++++++ var/log/lost+found/"]
    assert set(copied.differences) == (set() if "/var/log" in copied.images else set(moved))


def alter(path: Path, change: str) -> None:
    subprocess.run(["sh", "-euc", change], cwd=path, check=True)


@pytest.mark.parametrize(
    "change",
    [
        "touch more",
        "rm file",
        "chmod 600 file",
        "chown 7 file",
        "chgrp 7 file",
        "chmod 700 directory",
        "touch -r file reference; printf 2 > file; touch -r reference file; rm reference",
        "touch -d '2001-02-03' file",
        "rm link; cp -p file link",
        "ln -f file other",
        "ln -sfn elsewhere symlink",
        "rm device; mknod device c 1 5",
        "setcap cap_net_raw=ep file",
        "setfattr -n user.note -v value directory",
        "setfacl -m u:7:r file",
    ],
)
def test_the_comparison_sees_it(change: str, tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.mkdir()
    alter(
        one, "printf 1 > file; ln file link; cp -p file other; ln -s file symlink; mkdir directory; mknod device c 1 3"
    )
    output_of("cp", "--archive", one, other)
    assert differences(one, other) == []
    alter(other, change)
    assert differences(one, other) != []


def test_the_image_has_what_the_boot_loader_step_needs(raw: dict[str, Path], tmp_path: Path) -> None:
    with mounted_together(raw, tmp_path / "tree") as tree:
        for program in ("usr/sbin/grub-install", "usr/sbin/grub-mkconfig", "usr/bin/bash", "usr/bin/grep"):
            assert os.access(tree / program, os.X_OK), program
        for file in ("etc/default/grub", "etc/network/interfaces"):
            assert (tree / file).is_file(), file
        for directory in ("etc/network/interfaces.d", "etc/udev/rules.d", "boot/grub"):
            assert (tree / directory).is_dir(), directory
        for pattern in ("boot/vmlinuz-*", "boot/initrd.img-*"):
            assert list(tree.glob(pattern)), pattern


def test_the_boot_loader_is_installed(bootable: Machine, tmp_path: Path) -> None:
    uuids = {
        mount: output_of("blkid", "-p", "-s", "UUID", "-o", "value", device).strip()
        for mount, device in bootable.partitions.items()
    }
    assert len(set(uuids.values())) == len(uuids)
    with mounted_together(bootable.partitions, tmp_path / "tree") as tree:
        fstab = [line.split()[:2] for line in (tree / "etc/fstab").read_text().splitlines()]
        configuration = (tree / "boot/grub/grub.cfg").read_text()
        kernel, initrd = (next((tree / "boot").glob(f"{name}-*")).name for name in ("vmlinuz", "initrd.img"))
        assert (tree / "boot/grub/i386-pc/core.img").is_file()
        assert "address 10.20.0.3" in (tree / "etc/network/interfaces.d/ifcfg-eth0").read_text()
        assert MAC in (tree / "etc/udev/rules.d/70-persistent-net.rules").read_text()
        assert (tree / "etc/nailgun-agent/nodiscover").exists()
    assert sorted(fstab) == sorted([f"UUID={uuid}", mount] for mount, uuid in uuids.items())
    entry = [line.split() for line in configuration.partition("menuentry ")[2].splitlines()]
    commands = {name: next(words for words in entry if words[:1] == [name]) for name in ("search", "linux", "initrd")}
    assert commands["search"][-1] == uuids["/boot"]
    assert (commands["linux"][1], commands["initrd"][1]) == (f"/{kernel}", f"/{initrd}")
    assert f"root=UUID={uuids['/']}" in commands["linux"]


def test_the_machine_starts_from_its_own_disk(bootable: Machine, tmp_path: Path) -> None:
    """GRUB reads /boot, the kernel and its initrd find the root file system, and systemd starts from it."""
    argv = ["-accel", "tcg", "-cpu", "max", "-m", "1536", "-smp", "2", "-nographic", "-no-reboot", "-nic", "none"]
    argv += ["-drive", f"file={bootable.file},format=raw,if=virtio,snapshot=on"]
    with (tmp_path / "console").open("w") as log:
        started = pexpect.spawn(
            "qemu-system-x86_64", argv, START_SECONDS, encoding="utf-8", codec_errors="replace", logfile=log
        )
        try:
            started.expect(r"Welcome to \S*(Ubuntu|Debian)")
        finally:
            started.close(force=True)
