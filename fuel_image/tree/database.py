"""dpkg's database in the tree.

Owns the telling of dpkg which packages ``unpack.py`` has unpacked: their stanzas in the status file, their triggers,
and apt's marks of what nobody asked for by name. The formats are dpkg's own (its doc/triggers.txt; deb-triggers(5);
``extended_states`` in apt-mark(8)). It must not touch the files of packages.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from fuel_image.tree.root import Tree
from fuel_image.tree.unpack import Unpacked, qualified

_HOME = "/var/lib/dpkg"
_STATUS = f"{_HOME}/status"
_TRIGGERS = f"{_HOME}/triggers"
_AUTOMATIC = "/var/lib/apt/extended_states"


def begin(tree: Tree) -> None:
    """Make an empty database."""
    tree.mkdir(_TRIGGERS)
    for name in ("status", "available"):
        tree.write(f"{_HOME}/{name}", "")
    tree.write(f"{_HOME}/info/format", "1\n")  # the control files of what may be installed twice name the architecture


def filters(tree: Tree) -> bool:
    """Tell whether dpkg in the tree leaves out files of packages (dpkg(1), --path-exclude)."""
    home = "/etc/dpkg"
    files = [f"{home}/dpkg.cfg", *(f"{home}/dpkg.cfg.d/{name}" for name in tree.names(f"{home}/dpkg.cfg.d"))]
    return any("path-exclude" in _read(tree, path) for path in files)


def add(tree: Tree, packages: Sequence[Unpacked]) -> None:
    """Enter packages whose files and control files are in place: unpacked, and to be configured."""
    interests = _interests(tree)  # those of the packages before these: who is not configured yet needs no trigger
    tree.write(_STATUS, _read(tree, _STATUS) + "".join(_status(one) for one in packages))
    activated = sorted({name for one in packages for name in _activated(one, interests)})
    if activated:
        deferred = f"{_TRIGGERS}/Unincorp"
        tree.write(deferred, _read(tree, deferred) + "".join(f"{name} -\n" for name in activated))
    for one in packages:
        for name, option in _directives(one, "interest"):
            path = f"{_TRIGGERS}/{'File' if name.startswith('/') else name}"
            prefix = f"{name} " if name.startswith("/") else ""
            tree.write(path, f"{_read(tree, path)}{prefix}{qualified(one.control)}{option}\n")


def automatic(tree: Tree) -> str:
    """Return apt's marks of the packages that came only because others need them."""
    return _read(tree, _AUTOMATIC)


def mark_automatic(tree: Tree, marks: str, names: Iterable[str], arch: str) -> None:
    """Write apt's marks anew: *marks*, and one for each of *names*."""
    more = (f"Package: {name}\nArchitecture: {arch}\nAuto-Installed: 1\n\n" for name in names)
    tree.write(_AUTOMATIC, marks + "".join(more))


def _read(tree: Tree, path: str) -> str:
    return tree.read(path) if tree.exists(path) else ""


def _status(package: Unpacked) -> str:
    lines = ["Status: install ok unpacked", *(line for line in package.control.split("\n") if line.strip())]
    if package.conffiles:
        lines += ["Conffiles:", *(f" {path} newconffile {flag}".rstrip() for path, flag in package.conffiles.items())]
    return "\n".join(lines) + "\n\n"


def _directives(package: Unpacked, kind: str) -> Iterable[tuple[str, str]]:
    """Give the names that a package's triggers file has for *kind*, and how they are noted with the package."""
    for line in package.triggers.split("\n"):
        words = line.partition("#")[0].split()
        if len(words) == 2 and words[0] in (kind, f"{kind}-await", f"{kind}-noawait"):
            yield words[1], "/noawait" if words[0].endswith("-noawait") else ""


def _interests(tree: Tree) -> frozenset[str]:
    """Return the names of all triggers that a package is interested in; those of files begin with a slash."""
    files = (line.rpartition(" ")[0] for line in _read(tree, f"{_TRIGGERS}/File").splitlines())
    return frozenset((*files, *(name for name in tree.names(_TRIGGERS) if name not in ("File", "Lock", "Unincorp"))))


def _activated(package: Unpacked, interests: frozenset[str]) -> Iterable[str]:
    yield from (name for name, _ in _directives(package, "activate") if name in interests)
    for path in package.paths:
        parts = path.split("/")
        for end in range(2, len(parts) + 1):
            above = "/".join(parts[:end])
            if above in interests:
                yield above
