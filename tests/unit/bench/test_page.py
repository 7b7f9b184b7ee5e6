"""The page of results."""

from __future__ import annotations

from bench import page

from .runs import COLD, MMDEBSTRAP, ORIGINAL, TO_A_TAR_FILE, results


def row(text: str, name: str) -> list[str]:
    """Return the cells of the first row that begins with *name*."""
    return next(line.split() for line in text.splitlines() if line.startswith(name))


def test_who_is_faster_has_the_greater_speed() -> None:
    text = page.page(results(ORIGINAL, MMDEBSTRAP, COLD, TO_A_TAR_FILE))
    assert row(text, "original  ") == ["original", "122.0", "122.0", "-", "122.0", "0.44", "300", "1"]
    assert row(text, "mmdebstrap  ") == ["mmdebstrap", "54.0", "54.0", "-", "54.0", "1.00", "200", "1"]
    assert row(text, "cold  ") == ["cold", "25.0", "25.0", "-", "25.0", "2.16", "300", "1"]
    assert row(text, "diskimage-builder  ") == ["diskimage-builder", "3.0", "3.0", "-", "3.0", "100", "1"]


def test_failures_are_told_but_not_what_the_machine_said() -> None:
    text = page.page(results(ORIGINAL, COLD, mkosi="packages (exit code 1):\nsomething of this machine"))
    assert row(text, "mkosi  ") == ["mkosi", "failed", "packages", "(exit", "code", "1)"]
    assert "something of this machine" not in text
