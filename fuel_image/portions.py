"""Which packages come into the tree, and in which portions.

Owns the questions to the repositories and to the tree's apt; what was answered once is not asked again. It must not
install anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fuel_image.archive import resolve
from fuel_image.archive.choices import Choice
from fuel_image.archive.packages import Package
from fuel_image.means import Means
from fuel_image.progress import step
from fuel_image.tree import apt, layers
from fuel_image.tree.chroot import Chroot
from fuel_image.tree.layers import Layer

_SMALL_BYTES = 2 << 20
"""A package that brings no more than this to those before it is cheap to install again."""
_WHOLE = "The packages"
_TAIL = "The small packages at the end"


@dataclass(frozen=True)
class Portion:
    """Some of the wishes, and the packages that come with them; *title* names its layer."""

    title: str
    wishes: tuple[str, ...]
    choice: Choice


def base(means: Means) -> tuple[Package, ...]:
    """Return the first packages of an empty tree."""
    suite, repositories = means.plan.suite, means.repositories
    question = layers.digest(["base", repositories.state(), suite.extra_base])
    return means.choices.recalled(question, lambda: Choice(resolve.base(repositories, suite.extra_base))).packages


def chosen_beside(means: Means, inside: Chroot, base: Sequence[Package], wishes: Sequence[str]) -> Choice:
    """Return what apt chooses for all wishes, in a tree in which the base system is still being installed."""

    def ask() -> Choice:
        with step("Choosing packages"):
            digested = _digested(means, base)
            return apt.choose(inside, means.repositories, wishes, digested=digested, installed=base)

    return means.choices.recalled(_question(means, base, wishes), ask)


def divided(means: Means, base: Sequence[Package], on: Layer, wishes: Sequence[str]) -> list[Portion]:
    """Return the wishes in portions, each of which is a layer: the small ones at the end are one of their own.

    So what is often changed costs little, and what a layer holds depends on the request and the repositories only. apt
    has chosen for all wishes at once, so that no portion brings in what another makes needless. *on* is the base.
    """

    def ask() -> Choice:
        with step("Choosing packages"), means.inside_copy(on) as inside:
            return apt.choose(inside, means.repositories, wishes, digested=_digested(means, base))

    def ask_for_first() -> Choice:
        with means.inside_copy(on) as inside:
            return apt.choose(inside, means.repositories, first, only=whole.packages)

    whole = means.choices.recalled(_question(means, base, wishes), ask)
    undivided = [Portion(_WHOLE, tuple(wishes), whole)]
    first = _without_small_tail(means, base, wishes)
    if whole.removed or not 0 < len(first) < len(wishes):
        return undivided
    question = layers.digest(["first", [one.sha256 for one in (*base, *whole.packages)], first])
    some = means.choices.recalled(question, ask_for_first)
    rest = tuple(one for one in whole.packages if one not in set(some.packages))
    if not rest:
        return undivided
    return [Portion(_WHOLE, tuple(first), some), Portion(_TAIL, tuple(wishes[len(first) :]), Choice(rest))]


def _without_small_tail(means: Means, base: Sequence[Package], wishes: Sequence[str]) -> Sequence[str]:
    """Return the wishes without those at the end that cost little to install again; a default set stays whole."""
    if means.plan.request.packages is None:
        return wishes

    def ask() -> Choice:
        return Choice(resolve.small_tail(means.repositories, base, wishes, _SMALL_BYTES))

    question = layers.digest(["tail", means.repositories.state(), wishes, _SMALL_BYTES])
    return wishes[: len(wishes) - len(means.choices.recalled(question, ask).packages)]


def _question(means: Means, base: Sequence[Package], wishes: Sequence[str]) -> str:
    """Return the question what apt chooses for *wishes* on top of the base system."""
    return layers.digest(["packages", [one.sha256 for one in base], means.repositories.state(), wishes])


def _digested(means: Means, base: Sequence[Package]) -> Path | None:
    """Return where is kept what the apt among the packages makes of the indices."""
    apts = [one.identity for one in base if one.name == "apt"]
    return means.digests and means.digests / layers.digest([apts, means.repositories.state()])
