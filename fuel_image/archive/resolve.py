"""The closure of the base set.

Owns the choice of the packages that are put into an empty tree before its own apt can choose the rest: everything
essential or of priority required, apt, and what these need. It resolves Pre-Depends and Depends as apt does in an
empty system, which for a base set needs no backtracking. It must not be used for more: apt's solver is better
(LP1401764).
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from fuel_image.archive.packages import Dependency, Package
from fuel_image.archive.repositories import Repositories, provides
from fuel_image.archive.version import satisfies
from fuel_image.errors import ResolveError

_ROOTS = ("apt",)


def base(repositories: Repositories, extra: Sequence[str] = ()) -> tuple[Package, ...]:
    """Return the base set, sorted by name. Raises ResolveError when something that it needs is nowhere.

    The first repository says which packages are basic; their versions come from all of them. Of *extra*, what any
    repository holds is basic too.
    """
    names = {name for index in repositories[0].indices for name in index.base()}
    candidates = {name: repositories.candidate(name) for name in sorted({*names, *_ROOTS, *extra})}
    chosen = {
        name: package
        for name, package in candidates.items()
        if package is not None and (package.essential or package.required or name in (*_ROOTS, *extra))
    }
    if "apt" not in chosen:
        raise ResolveError(
            "choosing the base system: no repository holds apt", advice="add the distribution's own repository"
        )
    return close(repositories, chosen)


def close(repositories: Repositories, roots: dict[str, Package]) -> tuple[Package, ...]:
    """Return *roots* and all that they need, sorted by name."""
    chosen = dict(roots)
    _complete(repositories, chosen, sorted(chosen.values(), key=lambda package: package.name))
    return tuple(chosen[name] for name in sorted(chosen))


def _complete(repositories: Repositories, chosen: dict[str, Package], waiting: list[Package]) -> None:
    """Add to *chosen* what the packages *waiting*, which are in it, need."""
    while waiting:
        package = waiting.pop(0)
        for alternatives in package.depends:
            if any(_satisfied(chosen, wanted) for wanted in alternatives):
                continue
            found = _first(repositories, alternatives)
            if found is None:
                wish = " | ".join(_written(wanted) for wanted in alternatives)
                raise ResolveError(
                    f"choosing the base system: {package.name} needs {wish}, which no repository holds",
                    advice="add the repository or component that holds it",
                )
            chosen[found.name] = found
            waiting.append(found)


def small_tail(
    repositories: Repositories, base: Sequence[Package], wishes: Sequence[str], limit_bytes: int
) -> tuple[Package, ...]:
    """Return the packages for the last of *wishes*: as many as each bring at most *limit_bytes* to those before.

    The sizes are those of the files to fetch. A wish that is no plain name of a package counts as large, and so does
    one that cannot be fulfilled: whoever installs it will say why.
    """
    chosen = {package.name: package for package in base}
    tail: list[Package] = []
    for wish in wishes:
        package = repositories.candidate(wish)
        before = set(chosen)
        if package is None:
            tail.clear()
            continue
        chosen[package.name] = package
        with contextlib.suppress(ResolveError):
            _complete(repositories, chosen, [package])
            if sum(chosen[name].size_bytes for name in chosen.keys() - before) <= limit_bytes:
                tail.append(package)
                continue
        tail.clear()
    return tuple(tail)


def _satisfied(chosen: dict[str, Package], wanted: Dependency) -> bool:
    package = chosen.get(wanted.name)
    if package is not None and satisfies(package.version, wanted.relation, wanted.version):
        return True
    return any(provides(one, wanted) for one in chosen.values())


def _first(repositories: Repositories, alternatives: tuple[Dependency, ...]) -> Package | None:
    found = (repositories.satisfying(wanted) for wanted in alternatives)
    return next((package for package in found if package is not None), None)


def _written(wanted: Dependency) -> str:
    return wanted.name + (f" ({wanted.relation} {wanted.version})" if wanted.relation else "")
