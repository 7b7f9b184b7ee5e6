"""What a test promises, in its own words."""

from __future__ import annotations

import inspect

import pytest


def promise_of(item: pytest.Item) -> tuple[str, str]:
    """Return the section and the promise of a test: the first sentences of its module's docstring and its own."""
    assert isinstance(item, pytest.Function) and item.module is not None
    return _first_sentence(item.module), _first_sentence(item.function)


def _first_sentence(thing: object) -> str:
    text = " ".join((inspect.getdoc(thing) or "").split())
    sentence, stop, _ = text.partition(". ")
    assert sentence, f"{thing} says nothing"
    return sentence.rstrip(".") if not stop else sentence
