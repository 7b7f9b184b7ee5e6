"""The names of layers, how a damaged one is noticed, and which are kept."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Callable

import pytest

from fuel_image.tree import layers
from fuel_image.tree.layers import Layer, Store, digest, listing
from fuel_image.tree.root import Tree

from ..conftest import AfterNextLock


def test_a_digest_depends_on_values_and_their_order_but_not_on_that_of_keys() -> None:
    assert digest({"a": 1, "b": [1, 2]}) == digest({"b": [1, 2], "a": 1})
    assert len({digest([1, 2]), digest([2, 1]), digest(["1", "2"]), digest([12])}) == 4


CHANGES: dict[str, Callable[[Path], object]] = {
    "a mode": lambda top: (top / "file").chmod(0o600),
    "an owner": lambda top: os.chown(top / "file", 1, 1),
    "a size": lambda top: os.truncate(top / "file", 0),
    "a time": lambda top: os.utime(top / "file", (1, 1)),
    "a link": lambda top: os.replace(top / "other link", top / "link"),
    "a file more": lambda top: (top / "dir/more").touch(),
    "a file less": lambda top: (top / "file").unlink(),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_listing_notices(change: str, tmp_path: Path) -> None:
    (tmp_path / "dir").mkdir()
    (tmp_path / "file").write_text("content")
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "other link").symlink_to("elsewhere")
    before = listing(tmp_path)
    assert listing(tmp_path) == before
    CHANGES[change](tmp_path)
    assert listing(tmp_path) != before


PATIENCE_SECONDS = 30
SIZE_BYTES = 100


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A store that mounts nothing and in which every layer has SIZE_BYTES."""

    @contextmanager
    def not_mounted(_below: Layer | None, directory: Path) -> Iterator[Tree]:
        (directory / "upper").mkdir()
        yield Tree(directory / "upper")

    monkeypatch.setattr(layers, "mounted_on", not_mounted)
    monkeypatch.setattr(layers, "listing", lambda _: ("the same", SIZE_BYTES))
    return Store(tmp_path)


def nothing(_tree: Tree) -> dict[str, Any]:
    return {}


def used(store: Store, directory: Path, name: str, seconds: int | None = None) -> str:
    """Make or use a layer, as if at *seconds* since 1970; return its key."""
    with store.layer(name, {}, None, nothing) as layer:
        pass
    if seconds is not None:
        os.utime(directory / layer.key, (seconds, seconds))
    return layer.key


def with_locks(*keys: str) -> set[str]:
    return {name for key in keys for name in (key, f"{key}.lock")}


def test_what_was_used_longest_ago_goes_first(store: Store, tmp_path: Path) -> None:
    second, third, first = (used(store, tmp_path, name, age) for name, age in (("b", 2), ("c", 1), ("a", 3)))
    store.prune(3 * SIZE_BYTES)
    assert set(os.listdir(tmp_path)) == with_locks(first, second, third)
    used(store, tmp_path, "c")
    store.prune(2 * SIZE_BYTES)
    assert set(os.listdir(tmp_path)) == with_locks(third, first)
    store.prune(0)
    assert os.listdir(tmp_path) == []


def test_what_a_build_uses_or_makes_stays(store: Store, tmp_path: Path) -> None:
    unused = used(store, tmp_path, "unused")

    def make(tree: Tree) -> dict[str, Any]:
        store.prune(0)
        assert tree.path.exists()
        return {}

    with store.layer("new", {}, None, make) as layer:
        store.prune(0)
        assert set(os.listdir(tmp_path)) == with_locks(layer.key)
        assert layer.key != unused


def test_builds_that_use_a_layer_do_not_wait_for_each_other(store: Store, tmp_path: Path) -> None:
    used(store, tmp_path, "shared")

    def use() -> str:
        with Store(tmp_path).layer("shared", {}, None, nothing) as layer:
            return layer.key

    with store.layer("shared", {}, None, nothing) as layer, ThreadPoolExecutor() as pool:
        try:
            assert pool.submit(use).result(timeout=PATIENCE_SECONDS) == layer.key
        finally:
            store.prune(0)
            assert set(os.listdir(tmp_path)) == with_locks(layer.key), "who still uses it keeps it"


def test_who_makes_a_damaged_layer_anew_is_alone(
    store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    key = used(store, tmp_path, "damaged")
    (tmp_path / key / "record.json").write_text("{")
    assert used(store, tmp_path, "damaged") == key
    assert caplog.text.count("the kept layer was damaged") == 1
    with store.layer("damaged", {}, None, nothing):
        assert set(os.listdir(tmp_path)) == with_locks(key)


def test_what_killed_builds_left_goes(store: Store, tmp_path: Path) -> None:
    (tmp_path / "killed.new/upper").mkdir(parents=True)
    (tmp_path / "killed.lock").touch()
    (tmp_path / "waiting.lock").touch()
    store.prune(SIZE_BYTES)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("ending", ["", ".lock"])
def test_a_layer_that_goes_before_it_is_used_is_made_again(
    ending: str, store: Store, tmp_path: Path, after_next_lock: AfterNextLock
) -> None:
    """Between the lock with which it is made and the one with which it is used there is a moment without."""
    key = layers.key_of("new", {}, None)
    lost: list[Path] = []

    def lose() -> None:
        lost.append((tmp_path / f"{key}{ending}").rename(tmp_path / "lost"))

    def make(_tree: Tree) -> dict[str, Any]:
        if not lost:
            after_next_lock(lose)
        return {}

    with store.layer("new", {}, None, make):
        assert set(os.listdir(tmp_path)) == {"lost", *with_locks(key)}


def test_what_is_being_made_is_not_kept_yet(store: Store, tmp_path: Path) -> None:
    key = used(store, tmp_path, "a layer")
    os.rename(tmp_path / key, tmp_path / f"{key}.new")
    assert list(store.kept()) == []
