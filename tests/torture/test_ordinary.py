"""Without any fault."""

from __future__ import annotations

from pathlib import Path

from tests.integration.conftest import Fuel, metadata_of
from tests.integration.images import ImageSet, output_of

from .mirror import Mirror


def test_a_system_from_the_mirror_of_these_tests(fuel: Fuel, mirror: Mirror, tmp_path: Path) -> None:
    """The mirror of these tests makes a whole system."""
    request = mirror.request(tmp_path / "output")
    fuel(request)
    with ImageSet(metadata_of(request)).mounted("/", tmp_path) as root:
        assert "hello" in output_of("dpkg-query", f"--admindir={root}/var/lib/dpkg", "--show")
