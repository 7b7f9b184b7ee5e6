"""What changed between two published sets.

Owns the comparison of two records. It must not look at the images.
"""

from __future__ import annotations

from collections.abc import Iterator

from fuel_image.archive.version import sort_key
from fuel_image.publish import DISK
from fuel_image.record import Record, Recorded
from fuel_image.sizes import megabytes


def differences(old: Record, new: Record) -> list[str]:
    """Return what is different, in lines for people; none if nothing is."""
    return [*_origin(old, new), *_packages(old, new), *_images(old, new)]


def _origin(old: Record, new: Record) -> Iterator[str]:
    for what, before, after in (
        ("system", old.system, new.system),
        ("architecture", old.arch, new.arch),
        ("asked for", " ".join(old.wishes), " ".join(new.wishes)),
        ("made by", old.version, new.version),
    ):
        if before != after:
            yield f"{what}: {before} -> {after}"
    known = {one.name: one for one in old.sources}
    for source in new.sources:
        if source.name not in known:
            yield f"repository {source.name}: new"
        elif source != known.pop(source.name):
            yield f"repository {source.name}: changed"
    yield from (f"repository {name}: gone" for name in known)


def _packages(old: Record, new: Record) -> Iterator[str]:
    if not old.installed or not new.installed:
        if old.installed != new.installed:
            yield "packages: one of the sets does not say what is installed"
        return
    lines: dict[str, list[str]] = {"added": [], "removed": [], "upgraded": [], "downgraded": []}
    for key in sorted(old.installed.keys() | new.installed.keys()):
        name, arch = key
        before, after = old.installed.get(key), new.installed.get(key)
        if before is None:
            lines["added"].append(f"  + {name} {after} ({arch})")
        elif after is None:
            lines["removed"].append(f"  - {name} {before} ({arch})")
        elif before != after:
            up = sort_key(after) > sort_key(before)
            lines["upgraded" if up else "downgraded"].append(f"  {'^' if up else 'v'} {name} {before} -> {after}")
    if any(lines.values()):
        yield "packages: " + ", ".join(f"{len(some)} {what}" for what, some in lines.items() if some)
        for some in lines.values():
            yield from some


def _images(old: Record, new: Record) -> Iterator[str]:
    before = {_place(one): one for one in old.files}
    after = {_place(one): one for one in new.files}
    for place in sorted(before.keys() | after.keys()):
        one, other = before.get(place), after.get(place)
        if one is None or other is None:
            yield f"{place}: {'new' if one is None else 'gone'}"
        elif _content(one) != _content(other):
            yield f"{place}: {_sizes(one, other)}"


def _place(one: Recorded) -> str:
    """Return what stays the same from set to set: a file may be named for its date."""
    if one.raw is not None:
        return f"{one.kind} of {one.mount or one.filename}"
    return one.filename if one.kind == DISK else one.kind  # a set may have several disks, and one of each other kind


def _content(one: Recorded) -> object:
    return (one.raw.md5, one.raw.sha256) if one.raw else one.sha256


def _sizes(one: Recorded, other: Recorded) -> str:
    file = f"file {megabytes(one.size_bytes)} -> {megabytes(other.size_bytes)}"
    if one.raw is None or other.raw is None:
        return file
    return f"{file}, image {megabytes(one.raw.size_bytes)} -> {megabytes(other.raw.size_bytes)}"
