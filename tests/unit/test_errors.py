"""What is taken out of everything that is said."""

from __future__ import annotations

import pytest

from fuel_image.errors import redact


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("http://mirror.example.org/u", "http://mirror.example.org/u"),
        ("get http://user:secret@h/u now", "get http://***@h/u now"),
        ("https://user:p@ss'w\"rd@h:81/u", "https://***@h:81/u"),
        ("http://h/a@b", "http://h/a@b"),
    ],
)
def test_credentials(text: str, said: str) -> None:
    assert redact(text) == said
