"""Why a layer would be made and not used from the store.

Owns the comparison of a layer's inputs with those of the kept layers of the same name. It must not make a layer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fuel_image.tree.layers import Kept, Layer, Make, Store

_SHOWN = 5


class Unkept(Exception):
    """A layer is not in the store: nothing can be said of those above it."""


class Explainer(Store):
    """A store that makes nothing: where a layer is missing, it notes why among its *lines* and raises Unkept."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.lines: list[str] = []

    @contextmanager
    def layer(self, name: str, inputs: Mapping[str, Any], below: Layer | None, make: Make) -> Iterator[Layer]:
        """Give the kept layer; raises Unkept."""
        with super().layer(name, inputs, below, make) as layer:
            self.lines.append(f"{name}: kept")
            yield layer

    def _made(self, _path: Path, _below: Layer | None, facts: Mapping[str, Any], _make: Make, /) -> Mapping[str, Any]:
        name = facts["name"]
        alike = [one for one in self.kept() if one.name == name]
        self.lines.append(f"{name}: would be made: {reason(facts['inputs'], facts['below'], alike)}")
        raise Unkept


def reason(inputs: Mapping[str, Any], below: str | None, alike: list[Kept]) -> str:
    """Return what tells a layer from that of *alike*, kept ones of the same name, which differs least."""
    if not alike:
        return "no build has made one yet"
    every = [[*_differences(one.inputs, inputs), *_below(one.below, below)] for one in alike]
    fewest = min(every, key=len)
    more = f"; and {len(fewest) - _SHOWN} more" if len(fewest) > _SHOWN else ""
    return "; ".join(fewest[:_SHOWN]) + more if fewest else "the format of layers has changed"


def _below(kept: str | None, wanted: str | None) -> list[str]:
    return [] if kept == wanted else ["the layer below it is another"]


def _differences(kept: Mapping[str, Any], wanted: Mapping[str, Any]) -> Iterator[str]:
    for name in sorted(kept.keys() | wanted.keys()):
        old, new = kept.get(name), wanted.get(name)
        if isinstance(old, Mapping) or isinstance(new, Mapping):
            yield from _parts(old or {}, new or {})
        elif isinstance(old, list) or isinstance(new, (list, tuple)):
            yield from _changes(name, [str(one) for one in old or ()], [str(one) for one in new or ()])
        elif old != new:
            yield f"{name} is {new}, not {old}"


def _parts(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    """Give what differs between named parts; their values are digests, which tell nobody anything."""
    for part in sorted(old.keys() | new.keys()):
        if old.get(part) != new.get(part):
            how = "is new" if part not in old else "is gone" if part not in new else "has changed"
            yield f"{part} {how}"


def _changes(name: str, old: list[str], new: list[str]) -> Iterator[str]:
    """Give what differs between two lists; a package, whose name is its first word, may have changed its version."""
    gone = {one.partition(" ")[0]: one for one in old if one not in set(new)}
    come = {one.partition(" ")[0]: one for one in new if one not in set(old)}
    for word in sorted(gone.keys() | come.keys()):
        if word in gone and word in come:
            old_one = _brief(gone[word]).partition(" ")[2] or gone[word]
            yield f"{name}: {_brief(come[word])} instead of {old_one}"
        else:
            yield f"{name}: {_brief(come[word])} is new" if word in come else f"{name}: {_brief(gone[word])} is gone"
    if not gone and not come and old != new:
        yield f"{name}: in another order"


def _brief(one: str) -> str:
    """Return a package's name and version without its architecture and digest; any other text as it is."""
    return " ".join(one.split(" ")[:2])
