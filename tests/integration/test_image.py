"""A real Debian and a real Ubuntu set, looked at with other tools than those that made them."""

from __future__ import annotations

import hashlib
import os
import stat
import subprocess
from pathlib import Path

import pytest

from .conftest import BENCHMARK, SMALL, Fuel, metadata_of, sample
from .images import ImageSet, installed, output_of

SECRET = b"planted-secret"


@pytest.fixture(scope="session", params=["debian", "noble"])
def image_set(request: pytest.FixtureRequest) -> ImageSet:
    found: ImageSet = request.getfixturevalue(request.param)
    return found


def test_the_record_fits_the_files(image_set: ImageSet) -> None:
    names = {path.name for path in image_set.path.parent.iterdir()}
    assert names == {image_set.path.name, *(image["container_name"] for image in image_set.record["images"])}
    for image in image_set.record["images"]:
        path = image_set.path.parent / image["container_name"]
        assert output_of("md5sum", path).split()[0] == image["container_md5"]
        assert output_of("sha256sum", path).split()[0] == image["container_sha256"]
        assert path.stat().st_size == image["container_size"]
        assert stat.S_IMODE(path.stat().st_mode) == 0o644
        raw = subprocess.run(["gzip", "-dc", path], check=True, stdout=subprocess.PIPE).stdout
        assert (len(raw), hashlib.md5(raw).hexdigest()) == (image["raw_size"], image["raw_md5"])
        assert hashlib.sha256(raw).hexdigest() == image["raw_sha256"]


def test_the_contract_s_fields_come_in_its_shape(image_set: ImageSet) -> None:
    record = image_set.record
    assert set(record["os"]) == {"name", "major", "minor"}
    assert all(isinstance(name, str) for name in record["packages"])
    assert {"type", "name", "uri", "suite", "section", "priority", "meta"} <= set(record["repos"][0])
    fields = {
        "raw_md5",
        "raw_size",
        "raw_name",
        "container_name",
        "container_md5",
        "container_size",
        "container",
        "format",
    }
    assert all(fields <= set(image) for image in record["images"])


def test_what_is_recorded_as_installed_is_installed(image_set: ImageSet, tmp_path: Path) -> None:
    recorded = {one["name"]: one["version"] for one in image_set.record["installed"]}
    with image_set.mounted("/", tmp_path) as tree:
        assert installed(tree) == recorded
    assert set(SMALL if "libcap2-bin" in recorded else BENCHMARK.split()) <= set(recorded)
    assert {one["repo"] for one in image_set.record["installed"]} <= {
        repo["name"] for repo in image_set.record["repos"]
    }


def test_the_file_systems_are_clean_and_look_like_what_they_are(image_set: ImageSet, tmp_path: Path) -> None:
    for mount in ("/", "/boot"):
        raw = image_set.unpack(mount, tmp_path / "raw")
        assert subprocess.run(["e2fsck", "-fp", raw], check=False).returncode == 0  # as the node does: 1 would not do
        assert output_of("blkid", "-p", "-s", "TYPE", "-o", "value", raw).strip() == image_set.image(mount)["format"]


@pytest.mark.parametrize(("mount", "size_bytes"), [("/", (8 << 40) - (1 << 30)), ("/boot", 16 << 30)])
def test_it_grows_on_the_node(debian: ImageSet, tmp_path: Path, mount: str, size_bytes: int) -> None:
    """To almost 8 TiB: the test machine's own file system cannot hold a larger file."""
    raw = debian.unpack(mount, tmp_path / "raw")
    os.truncate(raw, size_bytes)
    subprocess.run(["resize2fs", raw], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    assert subprocess.run(["e2fsck", "-fp", raw], check=False, stdout=subprocess.DEVNULL).returncode == 0
    blocks = next(line for line in output_of("dumpe2fs", "-h", raw).splitlines() if line.startswith("Block count"))
    assert int(blocks.split()[-1]) * 4096 == size_bytes
    raw.unlink()


def test_the_image_is_clean(image_set: ImageSet, tmp_path: Path) -> None:
    with image_set.mounted("/", tmp_path) as tree:
        for gone in (
            "etc/resolv.conf",
            "usr/sbin/policy-rc.d",
            "etc/apt/sources.list",
            "etc/apt/preferences",
            "var/lib/dpkg/status-old",
        ):
            assert not os.path.lexists(tree / gone), gone
        for empty in (
            "tmp",
            "run",
            "var/tmp",
            "var/lib/apt/lists/partial",
            "var/cache/apt/archives/partial",
            "etc/apt/sources.list.d",
            "etc/apt/preferences.d",
            "dev",
        ):
            assert list((tree / empty).iterdir()) == [], empty
        assert [path.name for path in (tree / "var/lib/apt/lists").iterdir()] == ["partial"]
        verified = subprocess.run(
            ["dpkg", f"--root={tree}", "--verify"], check=False, stdout=subprocess.PIPE, text=True
        )
        assert [
            line for line in verified.stdout.splitlines() if line.startswith("missing") and "/boot/" not in line
        ] == []
        assert not list((tree / "var/cache/apt").rglob("*.bin")) and not list((tree / "var/cache/apt").rglob("*.deb"))
        assert not list((tree / "etc/ssh").glob("ssh_host_*"))
        assert (tree / "etc/machine-id").read_bytes() == b""
        assert [path for path in (tree / "var/log").rglob("*") if path.is_file() and path.stat().st_size] == []
        assert not list(tree.rglob("*eatmydata*"))
        assert not list(tree.rglob("*.dpkg-new"))


def test_apt_knows_no_mirror(debian: ImageSet, tmp_path: Path) -> None:
    from urllib.parse import urlsplit

    hosts = {urlsplit(repo["uri"]).hostname.encode() for repo in debian.record["repos"]}
    with debian.mounted("/", tmp_path) as tree:
        for path in [*(tree / "etc/apt").rglob("*"), *(tree / "var/lib/apt").rglob("*")]:
            if path.is_file() and not path.is_symlink():
                assert not any(host in path.read_bytes() for host in hosts), path


def test_the_root_password(debian: ImageSet, tmp_path: Path) -> None:
    with debian.mounted("/", tmp_path) as tree:
        line = next(line for line in (tree / "etc/shadow").read_text().splitlines() if line.startswith("root:"))
    hashed = line.split(":")[1]
    salt = hashed.split("$")[2]
    proof = subprocess.run(
        ["openssl", "passwd", "-6", "-salt", salt, "-stdin"], input=SECRET, check=True, stdout=subprocess.PIPE
    )
    assert proof.stdout.decode().strip() == hashed


def test_each_mount_point_has_its_own_part(noble: ImageSet, tmp_path: Path) -> None:
    with noble.mounted("/boot", tmp_path) as boot:
        names = {path.name.partition("-")[0] for path in boot.iterdir()}
    assert {"vmlinuz", "initrd.img", "config", "System.map"} <= names
    with noble.mounted("/", tmp_path) as tree:
        assert list((tree / "boot").iterdir()) == []


def test_twice_the_same_bytes(fuel: Fuel, debian: ImageSet, tmp_path: Path) -> None:
    """Another work directory, another umask, another time zone, another locale: the same images."""
    request = sample(None, tmp_path / "again", packages=SMALL, root_password="planted-secret")
    environment = {**os.environ, "TZ": "Asia/Tokyo", "LC_ALL": "C", "LANG": "de_DE.UTF-8"}
    fuel(request, "--no-cache", "--work-dir", str(tmp_path / "elsewhere"), env=environment, umask=0o077)
    again = ImageSet(metadata_of(request))
    digests = [(image["mount"], image["raw_sha256"], image["container_sha256"]) for image in again.record["images"]]
    if digests != [(i["mount"], i["raw_sha256"], i["container_sha256"]) for i in debian.record["images"]]:
        (tmp_path / "one").mkdir()
        (tmp_path / "other").mkdir()
        with debian.mounted("/", tmp_path / "one") as one, again.mounted("/", tmp_path / "other") as other:
            differing = subprocess.run(
                ["diff", "-rq", "--no-dereference", one, other], check=False, stdout=subprocess.PIPE
            )
        pytest.fail(f"not the same bytes: {differing.stdout.decode()}")
