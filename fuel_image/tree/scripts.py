"""Scripts of a request, run in the tree.

Owns where they lie meanwhile (/run, a tmpfs), what they see of the host's network, and how a failure is worded. A
script with the network is in the host's own network namespace: it reaches what the host reaches, its loopback and the
abstract sockets there, too. A network of its own would take address translation, rules of which on the host outlive a
build that is killed, or a program that the host may not have. What it cannot do is change the network (``inside.py``).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path

from fuel_image.customisation.asked import Script
from fuel_image.errors import CommandError
from fuel_image.progress import step
from fuel_image.tree import files
from fuel_image.tree.apt import ENVIRONMENT
from fuel_image.tree.chroot import Chroot
from fuel_image.tree.root import Tree

_DIRECTORY = "/run/customisation"
RESOLV_CONF = "/etc/resolv.conf"
_SET_ASIDE = "/etc/.resolv.conf.set-aside"


def run_all(chroot: Chroot, scripts: Sequence[Script]) -> None:
    """Run the scripts, one after the other. Raises CommandError that names the script."""
    # The repositories are closed to scripts: an apt that they run is the tree's own, as it is configured there.
    environment = {name: value for name, value in chroot.environment.items() if name not in ENVIRONMENT}
    chroot.tree.mkdir(_DIRECTORY)
    for script in scripts:
        path = f"{_DIRECTORY}/{script.name}"
        files.write(chroot.tree, path, script.content, mode=0o700)
        inside = dataclasses.replace(
            chroot, environment=environment, limit_seconds=script.timeout_seconds, network=script.network
        )
        with step(f"Running {script.name}"), _resolving(chroot.tree) if script.network else nullcontext():
            _run(inside, path, script)
        chroot.tree.remove(path)


def _run(chroot: Chroot, path: str, script: Script) -> None:
    doing = f"running {script.name}"
    if script.content.source is not None:
        doing += f" ({script.content.source})"
    try:
        chroot.run(path, doing=doing, advice="the lines above are its last; the log file has all of them")
    except CommandError as error:
        if error.exit_code_of_command is not None:
            raise
        message = f"{doing}: it took more than {script.timeout_seconds} seconds"
        raise CommandError(
            message, advice="see what it waits for, or give it a longer timeout", tail=error.tail
        ) from error


@contextmanager
def _resolving(tree: Tree) -> Iterator[None]:
    """Give the tree the host's resolv.conf for the length of the block; another that is made meanwhile stays."""
    was_there = tree.exists(RESOLV_CONF)
    if was_there:
        tree.move(RESOLV_CONF, _SET_ASIDE)
    try:
        with host_s_resolv_conf(tree):
            yield
    finally:
        if was_there and not tree.exists(RESOLV_CONF):
            tree.move(_SET_ASIDE, RESOLV_CONF)
        tree.remove(_SET_ASIDE)


@contextmanager
def host_s_resolv_conf(tree: Tree) -> Iterator[None]:
    """Give the tree, which has none, the host's resolv.conf for the length of the block; what replaces it stays."""
    host_s = Path(RESOLV_CONF)
    text = host_s.read_text(encoding="utf-8", errors="surrogateescape") if host_s.exists() else ""
    tree.write(RESOLV_CONF, text)
    try:
        yield
    finally:
        if tree.is_file(RESOLV_CONF) and tree.read(RESOLV_CONF) == text:
            tree.remove(RESOLV_CONF)
