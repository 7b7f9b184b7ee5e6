"""The tree in other forms, looked at with other tools than those that made them."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import shutil
import stat
import subprocess
import tarfile
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from fuel_image import exports
from fuel_image import plan as plans
from fuel_image.errors import BuildError
from fuel_image.images import contents, cpio, tar
from fuel_image.publish import staged
from fuel_image.request import parse
from fuel_image.tree.root import Tree

from .conftest import Fuel, metadata_of, sample
from .images import UNPACK, ImageSet, facts, mounted, output_of

EPOCH = 1_700_000_000
MIB = 1 << 20
ODD, NO_TEXT = "etc/naïve\nname", os.fsdecode(b"etc/na\xefve")
KERNELS = {"vmlinuz-6.1.0-9-amd64": b"old", "vmlinuz-6.1.0-10-amd64": b"new", "initrd.img-6.1.0-10-amd64": b"disk"}
URI = "http://10.20.0.2/images/"


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    top = tmp_path / "tree"
    files = {"etc/hostname": b"machine\n", ODD: b"odd", "usr/sbin/init": b"init"}
    files["usr/bin/program"] = os.urandom(3 * MIB)
    files.update({f"boot/{name}": content for name, content in KERNELS.items()})
    for name, content in files.items():
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_bytes(content)
    (top / "sbin").symlink_to("usr/sbin")
    os.link(top / "usr/bin/program", top / "usr/bin/same")
    os.mkfifo(top / "etc/fifo")
    os.mknod(top / "etc/null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    os.chown(top / "etc/hostname", 1000, 70000)
    (top / "usr/bin/program").chmod(0o4755)
    subprocess.run(["setcap", "cap_net_raw+ep", top / "usr/sbin/init"], check=True)
    # the host has a name for one of them
    subprocess.run(["setfacl", "-m", "u:1:rwx,d:g:1234:r", top / "etc"], check=True)
    for path in (top, *top.rglob("*")):
        os.utime(path, (EPOCH, EPOCH), follow_symlinks=False)
    return Tree(top)


def made(tree: Tree, output: Path, **wanted: Any) -> list[Path]:
    """Make what is *wanted* of the tree; return the files."""
    repo = {"uri": "http://127.0.0.1/debian", "suite": "bookworm", "section": "main"}
    document = {"output": str(output), "codename": "bookworm", "repos": [repo], **wanted}
    plan = plans.make(parse(json.dumps(document), environment={}))
    work = output / "work"
    work.mkdir(parents=True)
    with ExitStack() as stack:
        outs = {name: stack.enter_context(staged(output, name)) for name in plan.request.filenames}
        found = exports.make_all(tree, plan, outs, work, EPOCH)
        for out in outs.values():
            out.finish()
            out.reveal()
    shutil.rmtree(work)
    for one in found:
        assert one.packed.sha256 == hashlib.sha256((output / one.filename).read_bytes()).hexdigest()
    return [output / one.filename for one in found]


def everything(top: Path) -> dict[str, Any]:
    paths = [top, *top.rglob("*")]
    return {os.path.relpath(path, top): facts(path) for path in paths}


def unpack(archive: Path, target: Path, *options: str) -> None:
    argv = ["bsdtar", "-xpf", str(archive), "-C", str(target), *options]
    subprocess.run(argv, check=True, env={**os.environ, "LC_ALL": "C.UTF-8"})


@pytest.mark.parametrize("container", ["gzip", "xz", "zstd", "raw"])
def test_an_archive_unpacks_to_the_tree(tree: Tree, tmp_path: Path, container: str) -> None:
    (archive,) = made(tree, tmp_path / "output", rootfs={"uri": f"{URI}root.tar", "container": container})
    raw, unpacked = tmp_path / "raw.tar", tmp_path / "unpacked"
    with raw.open("wb") as file:
        subprocess.run([*UNPACK[container], archive], check=True, stdout=file)
    unpacked.mkdir()
    unpack(raw, unpacked, "--numeric-owner", "--acls", "--xattrs")
    os.utime(unpacked, (EPOCH, EPOCH))  # which bsdtar leaves as it is where it only fills a directory
    assert everything(unpacked) == everything(tree.path)


def test_the_paths_of_an_archive_are_in_the_order_of_their_bytes(tree: Tree, tmp_path: Path) -> None:
    (tree.path / NO_TEXT).write_bytes(b"")
    (archive,) = made(tree, tmp_path / "output", rootfs={"uri": f"{URI}root.tar.gz"})
    with tarfile.open(archive, "r:gz", encoding="utf-8", errors="surrogateescape") as opened:
        names = [os.fsencode(name) for name in opened.getnames()]
    assert names[0] == b"." and names[1:] == sorted(names[1:])
    assert os.fsencode(NO_TEXT) in names


@pytest.mark.parametrize("compression", [None, "gzip", "xz", "zstd"])
def test_a_squashfs_is_the_tree_without_acls(tree: Tree, tmp_path: Path, compression: str | None) -> None:
    wanted = {"uri": f"{URI}root.squashfs", **({"compression": compression} if compression else {})}
    (image,) = made(tree, tmp_path / "output", squashfs=wanted)
    assert f"Compression {compression or 'zstd'}" in output_of("unsquashfs", "-s", image)
    subprocess.run(["setfacl", "-b", tree.path / "etc"], check=True)
    tree.path.joinpath("etc").chmod(0o775)  # the mode's group was the ACL's mask
    os.utime(tree.path / "etc", (EPOCH, EPOCH))
    with mounted(image, tmp_path / "mnt", "squashfs") as point:
        assert everything(point) == everything(tree.path)


def test_a_ram_disk_unpacks_to_the_tree_with_something_to_start(tree: Tree, tmp_path: Path) -> None:
    disk, kernel = reversed(
        made(tree, tmp_path / "output", initramfs={"uri": f"{URI}disk.gz"}, kernel={"uri": f"{URI}kernel"})
    )
    assert kernel.read_bytes() == b"new"
    unpacked = tmp_path / "unpacked"
    unpacked.mkdir()
    content = gzip.decompress(disk.read_bytes())
    end = -(-content.index(b"TRAILER!!!") // 512) * 512  # the kernel goes on with another archive
    for part in (content[end:], content[:end]):
        (tmp_path / "part").write_bytes(part)
        unpack(tmp_path / "part", unpacked)
        if part == content[end:]:
            assert os.readlink(unpacked / "init") == "sbin/init"
            (unpacked / "init").unlink()
    found, there = everything(unpacked), everything(tree.path)
    assert found.keys() == there.keys()
    for path, fact in found.items():
        assert fact[:3] == there[path][:3], path
        assert fact.detail == there[path].detail, path
    assert (unpacked / "usr/bin/program").samefile(unpacked / "usr/bin/same")


def test_the_newest_kernel_and_its_ram_disk(tree: Tree, tmp_path: Path) -> None:
    kernel, disk = made(tree, tmp_path / "output", kernel={"uri": f"{URI}kernel"}, initrd={"uri": f"{URI}initrd"})
    assert (kernel.read_bytes(), disk.read_bytes()) == (b"new", b"disk")


def test_what_a_kernel_was_signed_or_kept_as_is_no_newer_one(tree: Tree, tmp_path: Path) -> None:
    for ending in (".efi.signed", ".old", ".dpkg-old"):
        (tree.path / f"boot/vmlinuz-6.1.0-10-amd64{ending}").write_bytes(b"other")
    (tree.path / "boot/vmlinux-6.1.0-10-amd64").write_bytes(b"large")
    assert made(tree, tmp_path / "output", kernel={"uri": f"{URI}kernel"})[0].read_bytes() == b"new"


def test_a_ram_disk_with_nothing_to_start(tree: Tree, tmp_path: Path) -> None:
    (tree.path / "usr/sbin/init").unlink()
    (tree.path / "sbin").unlink()
    with pytest.raises(BuildError, match="the tree has nothing to start"):
        made(tree, tmp_path / "output", initramfs={"uri": f"{URI}disk"}, kernel={"uri": f"{URI}kernel"})


def test_an_archive_has_room_for_holes(tree: Tree, tmp_path: Path) -> None:
    with (tree.path / "swapfile").open("wb") as file:
        file.truncate(600 * MIB)
    (archive,) = made(tree, tmp_path / "output", rootfs={"uri": f"{URI}root.tar.gz"})
    assert archive.stat().st_size < 10 * MIB


def test_a_socket_is_named(tree: Tree, tmp_path: Path) -> None:
    os.mknod(tree.path / "etc/socket", stat.S_IFSOCK | 0o600)
    with pytest.raises(BuildError, match="etc/socket is a socket"):
        made(tree, tmp_path / "output", rootfs={"uri": f"{URI}root.tar.gz"})


@pytest.mark.parametrize(("kind", "removed", "advice"), [
    ("kernel", "vmlinuz-*", "add a package linux-image"),
    ("initrd", "initrd*", "add the package initramfs-tools"),
])  # fmt: skip
def test_what_is_not_there_is_asked_for(tree: Tree, tmp_path: Path, kind: str, removed: str, advice: str) -> None:
    for path in (tree.path / "boot").glob(removed):
        path.unlink()
    with pytest.raises(BuildError) as error:
        made(tree, tmp_path / "output", **{kind: {"uri": f"{URI}file"}})
    assert advice in error.value.advice


@pytest.mark.parametrize("kind", ["rootfs", "squashfs", "initramfs"])
def test_the_same_tree_gives_the_same_bytes(tree: Tree, tmp_path: Path, kind: str) -> None:
    others = {"kernel": {"uri": f"{URI}kernel"}} if kind == "initramfs" else {}
    first, second = (
        made(tree, tmp_path / name, **{kind: {"uri": f"{URI}file"}}, **others)[-1].read_bytes()
        for name in ("first", "second")
    )
    assert first == second


def damaged(file: Path, old: bytes, new: bytes) -> None:
    content = file.read_bytes()
    assert content.count(old) == 1
    file.write_bytes(content.replace(old, new))


def test_an_archive_or_ram_disk_that_is_not_the_tree_is_found_out(tree: Tree, tmp_path: Path) -> None:
    for make, check in ((tar.make, tar.check), (partial(cpio.make, epoch=EPOCH), cpio.check)):
        inventory = contents.take(tree.path)
        file = tmp_path / "file.raw"
        make(file, tree.path, inventory)
        check(file, tree.path, inventory)
        damaged(file, b"machine\n", b"machina\n")
        with pytest.raises(BuildError):
            check(file, tree.path, inventory)
        make(file, tree.path, inventory)
        (tree.path / "etc/more").write_bytes(b"")
        with pytest.raises(BuildError):
            check(file, tree.path, contents.take(tree.path))
        (tree.path / "etc/more").unlink()
        file.unlink()


def test_a_set_is_checked_with_coreutils_and_gnupg(fuel: Fuel, tmp_path: Path) -> None:
    home, output, key = tmp_path / "gnupg", tmp_path / "output", tmp_path / "key.asc"
    home.mkdir(mode=0o700)
    gpg = ["gpg", "--homedir", str(home), "--batch", "--quiet"]
    made_key = [*gpg, "--passphrase", "", "--quick-gen-key", "images@example.org", "ed25519", "sign", "never"]
    subprocess.run(made_key, check=True, stderr=subprocess.DEVNULL)
    key.write_text(output_of(*gpg, "--armor", "--export-secret-keys"))
    subprocess.run(["gpgconf", "--homedir", home, "--kill", "all"], check=True)
    request = sample(None, output, packages=[], rootfs={"uri": f"{URI}small.tar.gz"}, signing_key=str(key))
    del request["image_data"]
    fuel(request)
    first = sorted(os.listdir(output))
    assert first == ["SHA256SUMS", "SHA256SUMS.gpg", "small.tar.gz", "small.tar.gz.sha256", "small.yaml"]
    request["rootfs"]["uri"] = f"{URI}other.tar.gz"
    fuel(request)
    for name in ("SHA256SUMS", "small.tar.gz.sha256", "other.tar.gz.sha256"):
        subprocess.run(["sha256sum", "--check", "--strict", "--quiet", name], check=True, cwd=output)
    listed = [line.split()[1] for line in (output / "SHA256SUMS").read_text().splitlines()]
    assert listed == ["other.tar.gz", "other.yaml", "small.tar.gz", "small.yaml"]
    public = tmp_path / "public.gpg"
    public.write_bytes(subprocess.run([*gpg, "--export"], check=True, stdout=subprocess.PIPE).stdout)
    subprocess.run(
        ["gpgv", "--keyring", public, output / "SHA256SUMS.gpg", output / "SHA256SUMS"],
        check=True,
        stderr=subprocess.DEVNULL,
    )
    # what somebody else has put there is not signed with ours
    with (output / "SHA256SUMS").open("a") as file:
        file.write(f"{'0' * 64}  small.yaml\n")
    ended = fuel(request, "--force")
    assert "has no signature by this key" in ended.stderr
    assert "small" not in (output / "SHA256SUMS").read_text()
    # what has gone is made again
    (output / "other.tar.gz.sha256").unlink()
    assert "building anew: the checksums lack other.tar.gz.sha256" in fuel(request).stderr
    assert "already built" in fuel(request).stderr
    # without a key there is no signature, and without a wish no checksum that does not fit
    del request["signing_key"]
    fuel(request)
    assert not (output / "SHA256SUMS.gpg").exists()
    fuel({**request, "checksums": False})
    assert sorted(os.listdir(output)) == [
        *("SHA256SUMS", "other.tar.gz", "other.yaml", "small.tar.gz", "small.tar.gz.sha256", "small.yaml")
    ]
    assert (output / "SHA256SUMS").read_text() == ""


def test_images_and_other_forms_come_as_one_set(fuel: Fuel, tmp_path: Path) -> None:
    output = tmp_path / "output"
    request = sample(None, output, packages=[], rootfs={"uri": f"{URI}a.tar"}, squashfs={"uri": f"{URI}a.squashfs"})
    fuel(request)
    kinds = [one["kind"] for one in ImageSet(metadata_of(request)).record["artifacts"]]
    assert kinds == ["rootfs", "squashfs"]
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"], check=True, cwd=output)


def test_a_key_that_cannot_sign_is_told_before_anything_is_made(fuel: Fuel, tmp_path: Path) -> None:
    key = tmp_path / "key.asc"
    request = sample(None, tmp_path / "output", packages=[], signing_key=str(key))
    assert "reading the signing key" in fuel(request, expect=3).stderr
    key.write_text("no key")
    ended = fuel(request, expect=1)
    assert "reading the signing key" in ended.stderr and "no passphrase" in ended.stderr
    assert "Installing" not in ended.stderr
