"""What a FAT file system cannot hold."""

from __future__ import annotations

from pathlib import Path

import pytest

from fuel_image.errors import BuildError
from fuel_image.images import fat


@pytest.mark.parametrize("target", ["/etc/passwd", "/etc", "nothing"])
def test_a_link_is_not_followed_to_the_host(tmp_path: Path, target: str) -> None:
    top, image = tmp_path / "top", tmp_path / "image"
    (top / "EFI").mkdir(parents=True)
    (top / "EFI/link").symlink_to(target)
    with pytest.raises(BuildError, match="EFI/link is neither a file nor a directory"):
        fat.make(image, top, size_bytes=34 << 20, label=None, serial="ABCD-1234", epoch=0)
    assert not image.exists()
