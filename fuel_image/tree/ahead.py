"""Unpacking ahead of dpkg.

Owns the spreading of packages over as many processes of ``unpack.py`` as there are CPUs, and sees to what must not
depend on which of them was faster. dpkg unpacks one package after another, and for each file asks the disk several
times; this is most of the time of a plain installation. It must not choose packages and must not configure them.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from fuel_image.host import command
from fuel_image.host.cpus import cpus
from fuel_image.host.tasks import together
from fuel_image.tree import crossed
from fuel_image.tree.root import Tree
from fuel_image.tree.unpack import Unpacked


def unpack(tree: Tree, debs: Sequence[Path], *, everything: bool = False) -> list[Unpacked]:
    """Unpack packages into the tree and return what became of each, in their order.

    With *everything*, also those that are left for dpkg. Raises CommandError that names the package that failed.
    """
    done = _spread(tree, debs, everything)
    paths = crossed.paths(done.values())
    if paths:
        again = [deb for deb in debs if crossed.concern(done[str(deb)], paths)]
        done.update(_unpack_in_order(tree, again, everything, done, paths))
    unpacked = [done[str(deb)] for deb in debs]
    _settle_directories(tree, unpacked, emptied=bool(paths))
    return unpacked


def _spread(tree: Tree, debs: Sequence[Path], everything: bool) -> dict[str, Unpacked]:
    """Unpack packages at once; the largest go first, to whoever has least to do."""
    workers = cpus()
    shares: list[list[Path]] = [[] for _ in range(workers)]
    loads = [0] * workers
    for deb in sorted(debs, key=lambda deb: (-deb.stat().st_size, deb)):
        least = loads.index(min(loads))
        shares[least].append(deb)
        loads[least] += deb.stat().st_size
    done: dict[str, Unpacked] = {}
    with together(workers, command.end_running) as tasks:
        futures = [tasks.start(_run, tree, share, everything) for share in shares if share]
    for future in futures:
        done.update(future.result())
    return done


def _unpack_in_order(
    tree: Tree, debs: Sequence[Path], everything: bool, done: Mapping[str, Unpacked], paths: Collection[str]
) -> dict[str, Unpacked]:
    """Unpack packages that have to do with crossed *paths* once more, as dpkg would: one after another."""
    crossed.take_back(tree, [done[str(deb)] for deb in debs], paths)
    again = _run(tree, debs, everything)
    for deb, one in again.items():
        one.made += (path for path in done[deb].made if not crossed.within(path, paths))
    return again


def _run(tree: Tree, debs: Sequence[Path], everything: bool) -> dict[str, Unpacked]:
    with tempfile.NamedTemporaryFile("r", encoding="ascii") as report:
        command.run(
            *(sys.executable, "-m", "fuel_image.tree.unpack", tree.path, report.name),
            *(["--all"] if everything else []),
            doing="unpacking packages",
            stdin="\n".join(str(deb) for deb in debs),
            env={"PYTHONPATH": command.PACKAGE_PARENT},
        )
        return {path: Unpacked(**fields) for path, fields in json.load(report).items()}


def _settle_directories(tree: Tree, unpacked: Sequence[Unpacked], *, emptied: bool) -> None:
    """Give every new directory what the first package that has it says: with dpkg, the first one makes it.

    With *emptied*, some have the time at which something was taken out of them.
    """
    made = {path for one in unpacked for path in one.made}
    first: dict[str, Sequence[int]] = {}
    differ = set()
    for one in unpacked:
        for path, attributes in one.directories.items():
            if first.setdefault(path, attributes) != attributes:
                differ.add(path)
    for path in sorted(made if emptied else made & differ):
        mode, uid, gid, mtime = first[path]
        tree.set_directory(path, mode, uid, gid, mtime)
