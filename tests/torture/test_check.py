"""An image that is not the tree is found before it is published."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Callable

import pytest

from fuel_image.errors import BuildError
from fuel_image.images import check, contents, ext
from fuel_image.images.filesystems import ext_features

TIME = 981173106


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A tree that an image is made of."""
    top = tmp_path / "tree"
    (top / "directory").mkdir(parents=True)
    (top / "file").write_bytes(os.urandom(3 << 20))
    (top / "small").write_text("small")
    (top / "capable").write_text("capable")
    os.link(top / "small", top / "directory/linked")
    (top / "soft").symlink_to("small")
    subprocess.run(["setcap", "cap_net_raw+ep", top / "capable"], check=True)
    subprocess.run(["setfacl", "--modify=user:7:r", top / "small"], check=True)
    os.setxattr(top / "directory", "user.note", b"a note")
    os.truncate(top / "file", 30 << 20)
    settle(top)
    return top


def settle(top: Path) -> None:
    for path in [top, *top.rglob("*")]:
        os.utime(path, (TIME, TIME), follow_symlinks=False)


@pytest.fixture
def image(tree: Path, tmp_path: Path) -> Path:
    path = tmp_path / "tree.image"
    inventory = contents.take(tree)
    uuid = "01234567-89ab-4def-8123-456789abcdef"
    features = ext_features("ext4", (6, 1))
    ext.make(path, tree, inventory, features=features, label=None, uuid=uuid, reserve_bytes=1 << 20, epoch=TIME)
    return path


def rewrite(path: Path, place: int, content: bytes = b"!") -> None:
    with path.open("r+b") as file:
        file.seek(place)
        file.write(content)


def replace(path: Path, content: str) -> None:
    path.unlink()
    path.write_text(content)


def point_elsewhere(path: Path) -> None:
    path.unlink()
    path.symlink_to("smell")


def part(path: Path) -> None:
    """Make a file of its own of a hard link."""
    subprocess.run(["cp", "--archive", "--no-target-directory", path, path.with_suffix(".new")], check=True)
    path.with_suffix(".new").rename(path)


CHANGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "first byte": (lambda top: rewrite(top / "file", 0), "file holds something else"),
    "a byte in the middle": (lambda top: rewrite(top / "file", (2 << 20) + 7), "file holds something else"),
    "a byte in a hole": (lambda top: rewrite(top / "file", 17 << 20), "file holds something else"),
    "last byte": (lambda top: rewrite(top / "file", (30 << 20) - 1), "file holds something else"),
    "size": (lambda top: os.truncate(top / "file", 29 << 20), "file is Entry("),
    "mode": (lambda top: (top / "directory").chmod(0o711), "directory is Entry("),
    "mode of the top": (lambda top: top.chmod(0o700), ". is Entry("),
    "owner": (lambda top: os.chown(top / "capable", 70000, 0), "capable is Entry("),
    "group": (lambda top: os.lchown(top / "soft", 0, 70000), "soft is Entry("),
    "attribute": (lambda top: os.setxattr(top / "directory", "user.note", b"another"), "directory is Entry("),
    "no attribute": (lambda top: os.removexattr(top / "directory", "user.note"), "directory is Entry("),
    "capability": (lambda top: subprocess.run(["setcap", "-r", top / "capable"], check=True), "capable is Entry("),
    "ACL": (lambda top: subprocess.run(["setfacl", "-m", "u:8:r", top / "small"], check=True), "small is Entry("),
    "link": (lambda top: replace(top / "soft", "small"), "soft is Entry("),
    "target": (lambda top: point_elsewhere(top / "soft"), "soft is Entry("),
    "hard link": (lambda top: part(top / "directory/linked"), "directory/linked and small are one file"),
    "missing": (lambda top: (top / "more").mkdir(), "more is missing"),
    "too much": (lambda top: (top / "soft").unlink(), "soft is not in the tree"),
}


def checked(image: Path, tree: Path) -> None:
    check.check(image, "ext4", contents.take(tree), tree)


def test_a_true_image(image: Path, tree: Path) -> None:
    """An image that is the tree passes."""
    checked(image, tree)


@pytest.mark.parametrize("name", CHANGES)
def test_a_difference_is_named(name: str, image: Path, tree: Path) -> None:
    """A difference of one byte, mode, owner, attribute, ACL, capability, link or name is found and named."""
    change, said = CHANGES[name]
    change(tree)
    settle(tree)
    with pytest.raises(BuildError) as error:
        checked(image, tree)
    assert said in error.value.message
    image.with_suffix(".0.check").rmdir()


def test_a_time_is_compared(image: Path, tree: Path) -> None:
    """A difference of a part of a second is found."""
    os.utime(tree / "small", ns=(0, TIME * 10**9 + 1))
    with pytest.raises(BuildError, match="small is Entry"):
        checked(image, tree)
    image.with_suffix(".0.check").rmdir()
