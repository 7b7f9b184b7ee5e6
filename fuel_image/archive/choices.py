"""Choices of packages, remembered.

Owns a store of answers to the question which packages a set of indices gives for a wish: the closure of a base system,
apt's solution for a list of names. The question's digest names the answer, so that the same question need not be
computed twice; a lost answer is computed again. It must not choose.
"""

from __future__ import annotations

import dataclasses
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable

from fuel_image import kept
from fuel_image.archive.packages import Dependency, Package
from fuel_image.host.files import appearing

LOG = logging.getLogger(__name__)

_FORMAT = 3
"""Changed whenever the same question would get another answer than before."""


@dataclass(frozen=True)
class Choice:
    """The packages for a wish, and the names of those that must go for it."""

    packages: tuple[Package, ...]
    removed: tuple[str, ...] = ()


class Choices:
    """Answers below *directory*; with *use* false what an earlier build answered is asked anew."""

    def __init__(self, directory: Path, *, use: bool = True) -> None:
        self._directory = directory
        self._use = use
        self._made: dict[str, Choice] = {}

    def recalled(self, question: str, ask: Callable[[], Choice]) -> Choice:
        """Return the answer to the *question* with this digest; *ask* is called if none is kept."""
        path = self._directory / f"{_FORMAT}-{question}.json"
        if question in self._made:
            return self._made[question]
        if self._use:
            try:
                return _choice(kept.read(path.read_bytes()))
            except FileNotFoundError:
                pass
            except (OSError, ValueError, TypeError, KeyError) as error:
                LOG.warning("a remembered choice of packages was damaged (%s); it is made anew", error)
        answer = self._made[question] = ask()
        with appearing(path) as file:
            file.write(kept.written(dataclasses.asdict(answer)))
        return answer


def _choice(answer: Any) -> Choice:
    packages, removed = answer["packages"], answer["removed"]
    if not all(isinstance(fields, dict) for fields in packages) or not all(isinstance(one, str) for one in removed):
        raise ValueError("it is no list of packages")
    return Choice(tuple(_package(fields) for fields in packages), tuple(removed))


def _package(fields: dict[str, Any]) -> Package:
    depends = tuple(tuple(Dependency(**one) for one in group) for group in fields.pop("depends"))
    provides = tuple(Dependency(**one) for one in fields.pop("provides"))
    return Package(**fields, depends=depends, provides=provides)
