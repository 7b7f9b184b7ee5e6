"""The identities in a disk's file; that QEMU takes them, the integration tests show."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO, Callable
from uuid import UUID

import pytest

from fuel_image.errors import BuildError
from fuel_image.images import identity

IDENTITY = UUID("5f1c1d6e-3b9d-4f57-9d2c-0f2f6f1f7a11")


@pytest.mark.parametrize("made_up", [b"81234567", b"1234567", b"0"])
def test_a_vmdk_s_content_is_identified_in_its_descriptor(tmp_path: Path, made_up: bytes) -> None:
    def whole(identity: bytes) -> bytes:
        text = b"# Disk DescriptorFile\nversion=1\nCID=%s\nparentCID=ffffffff\n" % identity
        return bytes(512) + text.ljust(20 * 512, b"\0") + b"the grains"

    path = tmp_path / "vmdk"
    path.write_bytes(whole(made_up))
    with path.open("r+b") as file:
        identity.of_vmdk(file, IDENTITY)
    assert path.read_bytes() == whole(b"5f1c1d6e")


@pytest.mark.parametrize("identify", [identity.of_vmdk, identity.of_vhdx, identity.of_vdi])
def test_what_is_made_otherwise_is_refused_as_it_is(tmp_path: Path, identify: Callable[[BinaryIO, UUID], None]) -> None:
    path = tmp_path / "odd"
    path.write_bytes(b"odd" * (1 << 18))
    with path.open("r+b") as file, pytest.raises(BuildError, match="writing odd: qemu-img made it otherwise"):
        identify(file, IDENTITY)
    assert path.read_bytes() == b"odd" * (1 << 18)
