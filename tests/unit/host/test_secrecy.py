"""The arguments as the kernel shows them; the kernel itself is asked in tests/torture/test_secrets.py."""

from __future__ import annotations

import pytest

from fuel_image.host.secrecy import _rewritten

AREA = b"python\0-m\0fuel_image\0--quiet\0{secret}\0"


@pytest.mark.parametrize(
    ("area", "ours", "shown", "expected"),
    [
        (AREA, [b"--quiet", b"{secret}"], [b"--quiet", b"{...}"], b"python\0-m\0fuel_image\0--quiet\0{...}\0\0\0\0"),
        (b"p\0a://b@c\0d://e@f\0", [b"a://b@c", b"d://e@f"], [b"a://***@c", b"d://***@f"], b"p\0a://***@c\0d://*\0"),
        (b"p\0\0\xff\0", [b"", b"\xff"], [b"", b"?"], b"p\0\0?\0"),
        (b"p\0--x\0", [b"--x"], [b"--x"], b"p\0--x\0"),
        (b"p\0", [], [], None),
        (b"title of the process", [b"--quiet"], [b"-q"], None),
        (b"p\0other\0", [b"--quiet"], [b"-q"], None),
        (b"", [b"--quiet"], [b"-q"], None),
    ],
)
def test_arguments(area: bytes, ours: list[bytes], shown: list[bytes], expected: bytes | None) -> None:
    assert _rewritten(area, ours, shown) == expected
