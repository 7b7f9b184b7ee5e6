"""Layers: finished states of a tree, kept so that a later build need not redo them.

Owns the store of layers and the mounting of trees from them. A layer is what one step of the build changed; it is named
by the digest of everything that went into that step and into those below it, and used only under that name, so that a
build never needs the store for a correct result. It must not know what the steps do.

A layer appears by rename when it is whole. Its lock is held exclusively while it is made, so that a second build that
wants the same waits and then finds it, and shared while it is mounted, so that nobody removes it meanwhile, and builds
that use the same layer do not wait for each other.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import logging
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable

from fuel_image import kept
from fuel_image.errors import HostError
from fuel_image.host import kernel
from fuel_image.host.files import has_name, held, locked
from fuel_image.host.mounts import bound, mounted
from fuel_image.host.workspace import remove_tree, removed_if_failed
from fuel_image.tree.root import Tree

LOG = logging.getLogger(__name__)

FORMAT = 10
"""Changed whenever the same inputs would give another tree than before."""

Make = Callable[[Tree], Mapping[str, Any]]
"""Fills the tree that it is given and returns a record, in JSON's types, that is kept beside it."""

_FLAGS = kernel.MS_NODEV | kernel.MS_NOATIME
_RECORD = "record.json"


@dataclass(frozen=True)
class Layer:
    """A finished state: *directories* from the topmost down, and the *record* that its maker left."""

    key: str
    directories: tuple[Path, ...]
    record: Mapping[str, Any]


@dataclass(frozen=True)
class Kept:
    """A layer in the store: when it was last *used* (seconds since 1970), and what it was made from."""

    key: str
    used: float
    name: str
    below: str | None
    inputs: Mapping[str, Any]
    size_bytes: int


@contextmanager
def mounted_on(below: Layer | None, directory: Path) -> Iterator[Tree]:
    """Show a tree that starts as *below*, or empty; what is changed in it goes to *directory*/upper.

    Device nodes in it cannot be opened, and reading leaves no trace.
    """
    upper, point = directory / "upper", directory / "tree"
    for path in (upper, point):
        path.mkdir(parents=True)
        path.chmod(0o755)
    if below is None:
        with bound(upper, point, _FLAGS):
            yield Tree(point)
        return
    scratch = directory / "scratch"
    scratch.mkdir()
    lowers = ":".join(_escaped(lower) for lower in below.directories)
    options = f"lowerdir={lowers},upperdir={_escaped(upper)},workdir={_escaped(scratch)}"
    with mounted("overlay", point, "overlay", _FLAGS, options):
        yield Tree(point, upper)


def _escaped(path: Path) -> str:
    """Escape what separates the options of an overlay mount."""
    return str(path).replace("\\", "\\\\").replace(":", "\\:").replace(",", "\\,")


class Store:
    """The layers below *directory*, shared by all builds on the host."""

    def __init__(self, directory: Path, *, use: bool = True) -> None:
        self._directory = directory
        self._use = use

    @contextmanager
    def layer(self, name: str, inputs: Mapping[str, Any], below: Layer | None, make: Make) -> Iterator[Layer]:
        """Give the layer that *make* makes from *inputs* on top of *below*; make it only if the store lacks it."""
        key = key_of(name, inputs, below)
        facts = {"name": name, "below": below and below.key, "inputs": inputs}
        path = self._directory / key
        shared = self._use and path.exists()
        while True:
            with self._held(key, shared=shared) as lock:
                record = self._found(name, path) if self._use else None
                if record is None and shared:
                    shared = False  # it is damaged, or went meanwhile: who makes it anew must be alone
                    continue
                if record is None:
                    if self._use and path.exists():
                        LOG.warning("%s: the kept layer was damaged; it is made anew", name)
                    record = self._made(path, below, facts, make)
                # Between one kind of lock and the other there is a moment in which somebody may prune (flock(2)).
                fcntl.flock(lock, fcntl.LOCK_SH)
                if path.exists() and has_name(self._lock(key), lock):
                    os.utime(path)  # what was used last is removed last
                    yield Layer(key, (path / "upper", *(below.directories if below else ())), record)
                    return

    def _lock(self, key: str) -> Path:
        return self._directory / f"{key}.lock"

    @contextmanager
    def _held(self, key: str, *, shared: bool) -> Iterator[int]:
        """Hold the lock of a key, whose file is there as long as its layer, or somebody who wants it."""
        with contextlib.ExitStack() as stack:
            try:
                self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
                lock = stack.enter_context(held(self._lock(key), 0o600, shared=shared))
            except OSError as error:
                raise HostError(f"opening the store of layers: {error}", advice="give another --cache-dir") from error
            try:
                yield lock
            finally:
                if not (self._directory / key).exists():
                    self._lock(key).unlink(missing_ok=True)

    def _found(self, name: str, path: Path) -> Mapping[str, Any] | None:
        """Return the record of a layer that is there and as it was when it was kept; None for one that is not."""
        record = _record(path)
        if record is not None:
            LOG.info("%s: kept from an earlier build", name)
        return record

    def _made(self, path: Path, below: Layer | None, facts: Mapping[str, Any], make: Make, /) -> Mapping[str, Any]:
        new = path.with_suffix(".new")
        for left in (new, path):  # by a build that was killed, or by one that does not use the store
            if left.exists():
                remove_tree(left)
        new.mkdir(mode=0o700)
        with removed_if_failed(new):
            with mounted_on(below, new) as tree:
                record = make(tree)
            found, size_bytes = listing(new / "upper")
            whole = {**facts, "record": record, "listing": found, "size_bytes": size_bytes}
            (new / _RECORD).write_bytes(kept.written(whole))
            os.rename(new, path)
        return record

    def kept(self) -> Iterator[Kept]:
        """Give what is kept."""
        for path in self._directory.glob(f"*/{_RECORD}"):
            if path.parent.suffix:  # it is being made
                continue
            with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
                facts = kept.read(path.read_bytes())
                used = path.parent.stat().st_mtime
                what = facts["name"], facts["below"], facts["inputs"], facts["size_bytes"]
                yield Kept(path.parent.name, used, *what)

    def prune(self, limit_bytes: int) -> None:
        """Remove what killed builds left, what nobody can read, and the layers used longest ago down to *limit_bytes*.

        One that a build is using stays, however old it is.
        """
        for left in [*self._directory.glob("*.new"), *self._directory.glob("*.lock")]:
            if left.suffix == ".new" or not left.with_suffix("").exists():
                self._remove_unused(left)
        there = [path for path in self._directory.glob("*") if path.is_dir() and not path.suffix]
        known = {one.key for one in self.kept()}
        for path in there:
            if path.name not in known:  # its record is damaged, or of another version's form
                self._remove_unused(path)
        total = 0
        for one in sorted(self.kept(), key=lambda one: one.used, reverse=True):
            total += one.size_bytes
            if total > limit_bytes:
                self._remove_unused(self._directory / one.key)

    def _remove_unused(self, path: Path) -> None:
        lock = path.with_suffix(".lock")
        lock.touch(mode=0o600)
        with contextlib.suppress(BlockingIOError, FileNotFoundError), locked(lock, wait=False):
            LOG.debug("removing the layer %s", path.stem)
            if path != lock:
                remove_tree(path)
            if not path.with_suffix("").exists():
                lock.unlink()


def _record(path: Path) -> Mapping[str, Any] | None:
    """Return what the maker of a layer left, if the layer is as it was then."""
    try:
        facts = kept.read((path / _RECORD).read_bytes())
        if facts["listing"] == listing(path / "upper")[0]:
            record: Mapping[str, Any] = facts["record"]
            return record
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        LOG.debug("reading the layer %s: %s", path.name, error)
    return None


def key_of(name: str, inputs: Mapping[str, Any], below: Layer | None) -> str:
    """Return the name under which a layer is kept."""
    return digest({"format": FORMAT, "name": name, "below": below and below.key, "inputs": inputs})


def digest(value: object) -> str:
    """Return the SHA-256 of a value of JSON's types in its canonical form."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def listing(top: Path) -> tuple[str, int]:
    """Return a digest of every path below *top* with its type, mode, owner, size, time and link target; and its size.

    It tells a layer that somebody changed; what a disk does to the content of a file only a full read could tell. The
    size is that on the disk, in bytes.
    """
    running = hashlib.sha256()
    blocks = 0
    waiting = [os.fsencode(top)]
    while waiting:
        directory = waiting.pop()
        with os.scandir(directory) as scanned:
            entries = sorted(scanned, key=lambda entry: entry.name)
        running.update(b"%d\n" % len(entries))
        for entry in entries:
            found = entry.stat(follow_symlinks=False)
            facts = (found.st_mode, found.st_uid, found.st_gid, found.st_mtime_ns, found.st_rdev)
            detail = b""
            if stat.S_ISDIR(found.st_mode):
                waiting.append(entry.path)
            elif stat.S_ISLNK(found.st_mode):
                detail = os.readlink(entry.path)
            else:
                detail = b"%d" % found.st_size
            running.update(b"%b\0%b\0%b\n" % (entry.name, repr(facts).encode(), detail))
            blocks += found.st_blocks
    return running.hexdigest(), blocks * 512
