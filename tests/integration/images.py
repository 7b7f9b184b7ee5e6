"""Looking at images with other tools than those that made them."""

from __future__ import annotations

import hashlib
import os
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import yaml

UNPACK = {"gzip": ["gzip", "-dc"], "zstd": ["zstd", "-dcq"], "xz": ["xz", "-dc"], "raw": ["cat"]}


def output_of(*argv: object) -> str:
    return subprocess.run([str(one) for one in argv], check=True, stdout=subprocess.PIPE, text=True).stdout


class ImageSet:
    """A published set: its metadata and its files."""

    def __init__(self, metadata: Path) -> None:
        self.path = metadata
        self.record: dict[str, Any] = yaml.safe_load(metadata.read_text())

    def image(self, mount: str) -> dict[str, Any]:
        return next(dict(image) for image in self.record["images"] if image["mount"] == mount)

    def file(self, mount: str) -> Path:
        return self.path.parent / str(self.image(mount)["container_name"])

    def unpack(self, mount: str, target: Path) -> Path:
        with target.open("wb") as raw:
            subprocess.run([*UNPACK[self.image(mount)["container"]], self.file(mount)], check=True, stdout=raw)
        return target

    @contextmanager
    def mounted(self, mount: str, workspace: Path) -> Iterator[Path]:
        raw = self.unpack(mount, workspace / "raw.image")
        with mounted(raw, workspace / "mnt", self.image(mount)["format"]) as point:
            yield point
        raw.unlink()


@contextmanager
def mounted(image: Path, point: Path, kind: str) -> Iterator[Path]:
    """Mount a raw image read-only, as a node that recovers nothing would."""
    options = {"ext3": ",noload", "ext4": ",noload", "xfs": ",norecovery,nouuid"}.get(kind, "")
    point.mkdir(exist_ok=True)
    subprocess.run(["mount", "-o", f"loop,ro{options}", image, point], check=True)
    try:
        yield point
    finally:
        subprocess.run(["umount", point], check=True)


class Facts(NamedTuple):
    """Everything that can be known of a path, whatever its name."""

    mode: str
    uid: int
    gid: int
    mtime: float | None
    links: int
    detail: object
    """What it holds: the digest of a file, the target of a link, the number of a device."""
    attributes: dict[str, bytes]


def facts(path: Path) -> Facts:
    status = path.lstat()
    detail: object = None
    if stat.S_ISLNK(status.st_mode):
        detail = os.readlink(path)
    elif stat.S_ISREG(status.st_mode):
        detail = hashlib.sha256(path.read_bytes()).hexdigest()
    elif stat.S_ISCHR(status.st_mode) or stat.S_ISBLK(status.st_mode):
        detail = status.st_rdev
    names = os.listxattr(path, follow_symlinks=False)
    attributes = {name: os.getxattr(path, name, follow_symlinks=False) for name in names}
    return Facts(
        oct(status.st_mode), status.st_uid, status.st_gid, status.st_mtime, status.st_nlink, detail, attributes
    )


def installed(tree: Path) -> dict[str, str]:
    """Return what dpkg says is installed in a tree: name to version."""
    text = output_of(
        "dpkg-query", f"--admindir={tree}/var/lib/dpkg", "-W", "-f", "${Package}\t${Version}\t${db:Status-Status}\n"
    )
    lines = (line.split("\t") for line in text.splitlines())
    return {name: version for name, version, status in lines if status == "installed"}
