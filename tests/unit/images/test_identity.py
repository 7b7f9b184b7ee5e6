"""The identities in a disk's file; that QEMU takes them, the integration tests show."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO, Callable
from uuid import UUID

import pytest

from fuel_image.errors import BuildError
from fuel_image.images import identity

IDENTITY = UUID("5f1c1d6e-3b9d-4f57-9d2c-0f2f6f1f7a11")


def test_a_vmdk_s_content_is_identified_in_its_descriptor(tmp_path: Path) -> None:
    path = tmp_path / "vmdk"
    text = b"# Disk DescriptorFile\nversion=1\nCID=%s\nparentCID=ffffffff\n"
    path.write_bytes(bytes(512) + text % b"01234567")
    with path.open("r+b") as file:
        identity.of_vmdk(file, IDENTITY)
    assert path.read_bytes() == bytes(512) + text % b"5f1c1d6e"


@pytest.mark.parametrize("identify", [identity.of_vmdk, identity.of_vhdx, identity.of_vdi])
def test_what_is_made_otherwise_is_refused_as_it_is(tmp_path: Path, identify: Callable[[BinaryIO, UUID], None]) -> None:
    path = tmp_path / "odd"
    path.write_bytes(b"odd" * (1 << 18))
    with path.open("r+b") as file, pytest.raises(BuildError, match="writing odd: qemu-img made it otherwise"):
        identify(file, IDENTITY)
    assert path.read_bytes() == b"odd" * (1 << 18)
