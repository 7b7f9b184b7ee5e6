"""The guest that tells whether KVM works."""

from __future__ import annotations

from pathlib import Path

import pytest

from fuel_image.errors import CommandError
from fuel_image.machine import accelerator


def test_the_places_that_its_code_names() -> None:
    """In the sector, which the firmware loads to 0x7c00."""
    sector = accelerator.boot_sector()
    assert len(sector) == 512
    assert sector[510:] == b"\x55\xaa"
    assert sector[0x17:0x1C] == b"\xb9" + (1 << 26).to_bytes(4, "little")
    assert sector[0x30:0x38] == bytes.fromhex("ffff0000009acf00")
    assert sector[0x38:0x3E] == (15).to_bytes(2, "little") + (0x7C28).to_bytes(4, "little")


def test_without_kvm_machines_are_emulated(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(accelerator, "_KVM", str(tmp_path / "absent"))
    assert accelerator.chosen(tmp_path) == "tcg"


@pytest.mark.parametrize(("works", "expected"), [(True, "kvm"), (False, "tcg")])
def test_kvm_must_run_a_guest(works: bool, expected: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def run(*_arguments: object, **_options: object) -> None:
        if not works:
            raise CommandError("trying kvm: it did not end within 3 seconds")

    (tmp_path / "kvm").touch()
    monkeypatch.setattr(accelerator, "_KVM", str(tmp_path / "kvm"))
    monkeypatch.setattr(accelerator, "run", run)
    assert accelerator.chosen(tmp_path) == expected
