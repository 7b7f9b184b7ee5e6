"""YAML from outside, as plain values.

Owns the bounds of what is read: PyYAML ends with a segmentation fault where lists are nested a hundred thousand deep,
takes quadratic time for that and for long numbers, and expands a few lines of aliases beyond any memory. It must not
know what the values mean.
"""

from __future__ import annotations

from typing import Any

import yaml

_DEEPEST = 50
_MOST_EVENTS = 1_000_000
"""How many values and brackets a document may have; ten thousand installed packages are a tenth of it."""
_LONGEST_PLAIN = 1000
"""How many characters a value without quotes may have: none of a number's forms can then be too long for Python."""
_TOO_DEEP = "maximum nesting depth"
"""What libyaml says from 0.2.6 on, which looks for itself, before it gives the events of what is nested."""
_BASE: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml's, where PyYAML was built with it: the list of installed packages is long."""


class _Loader(_BASE):  # type: ignore[misc]  # one of two classes
    """Takes what JSON knows: keys are text, and so are dates."""

    yaml_implicit_resolvers = {  # noqa: RUF012  (PyYAML's own are like this)
        first: [one for one in resolvers if one[0] != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in _BASE.yaml_implicit_resolvers.items()
    }

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        found = super().construct_mapping(node, deep)
        for key in found:
            if not isinstance(key, str):
                raise ValueError(f"the key {str(key)[:60]} is no text")
        return found


def load(text: str) -> Any:
    """Return what the document says, in JSON's types. Raises ValueError."""
    try:
        _check(text)
        return yaml.load(text, Loader=_Loader)
    except (yaml.YAMLError, RecursionError, OverflowError) as error:
        said = " ".join(str(error).split())
        raise ValueError("it is nested too deeply" if _TOO_DEEP in said else said) from error


def _check(text: str) -> None:
    """Raise ValueError for what would take too much to load; events come one by one, whatever is to follow."""
    depth = 0
    event: Any
    for number, event in enumerate(yaml.parse(text, Loader=_Loader)):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        plain = isinstance(event, yaml.ScalarEvent) and event.style in (None, "")
        if depth > _DEEPEST:
            raise ValueError("it is nested too deeply")
        if number > _MOST_EVENTS:
            raise ValueError(f"it has more than {_MOST_EVENTS:,} values")
        if isinstance(event, yaml.AliasEvent):
            raise ValueError(f"*{str(event.anchor)[:60]}: aliases are not taken")
        if plain and len(event.value) > _LONGEST_PLAIN:
            raise ValueError(f"a value of {len(event.value):,} characters is in no quotes")
        if getattr(event, "tag", None) not in (None, "!"):
            raise ValueError(f"the tag {str(event.tag)[:60]} is not taken")
