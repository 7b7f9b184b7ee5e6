"""Elements made for a test."""

from __future__ import annotations

from pathlib import Path

from fuel_image.elements.element import Element, Library


def element(name: str, needs: str = "", provides: str = "") -> Element:
    """Return an element that is nowhere."""
    return Element(name, Path("/nowhere") / name, tuple(needs.split()), tuple(provides.split()))


def library(*elements: Element) -> Library:
    """Return the library of just these."""
    return Library({one.name: one for one in elements})


def written(top: Path, files: dict[str, str]) -> Path:
    """Write files below *top*; what has a leading ``*`` is executable."""
    for name, text in files.items():
        path = top / name.lstrip("*")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755 if name.startswith("*") else 0o644)
    return top
