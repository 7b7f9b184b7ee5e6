"""Documents from outside: a request, the site's configuration.

Owns the reading of JSON text, and the shape of a document: what its JSON schema, which is published with the package,
says of it, in words of our own, with the path of every problem. What the values mean is ``request.py``'s and
``settings.py``'s.
"""

from __future__ import annotations

import collections
import difflib
import itertools
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema

from fuel_image.errors import Problem, RequestError

REQUEST = "request.schema.json"
SETTINGS = "settings.schema.json"
_SECRETS = {
    *("root_password", "hashed_root_password", "key", "proxies"),
    *("files", "users", "scripts", "debconf", "environment"),
}
"""Keys whose values are never shown."""
_OF_SEVERAL_LINES = (".key", ".content")
_LONGEST_SHOWN = 60
_ALIKE = 0.7
"""From which likeness on a key that is not known may be meant for one that is; cluster is not meant for users."""
LIMIT_BYTES = 16 << 20
"""How long a request may be."""
MOST_PROBLEMS = 1000
"""How many problems of a kind are looked for: who reads so many has seen the pattern."""


def schema_text(name: str) -> str:
    """Return a published JSON schema: ``REQUEST`` or ``SETTINGS``."""
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def schema(name: str) -> dict[str, Any]:
    """Return a schema, parsed."""
    loaded: dict[str, Any] = json.loads(schema_text(name))
    return loaded


class _Object(dict[str, Any]):
    """A JSON object that remembers which of its keys came more than once."""

    repeated: tuple[str, ...] = ()


def _object(pairs: list[tuple[str, Any]]) -> _Object:
    made = _Object(pairs)
    if len(made) != len(pairs):
        counts = collections.Counter(key for key, _ in pairs)
        made.repeated = tuple(sorted(key for key, count in counts.items() if count > 1))
    return made


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def load(text: str) -> tuple[Any, list[Problem]]:
    """Return the document and its repeated keys. Raises RequestError with line and column for what is no JSON."""
    if len(text) > LIMIT_BYTES:
        raise RequestError([Problem("$", f"longer than {LIMIT_BYTES >> 20} MiB")])
    try:
        document = json.loads(text, object_pairs_hook=_object, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno} column {error.colno}"
        raise RequestError([Problem("$", f"not JSON: {error.msg} at {place}")]) from None
    except ValueError as error:
        raise RequestError([Problem("$", f"not JSON: {error}")]) from None
    return document, list(itertools.islice(_repeated_keys(document, "$"), MOST_PROBLEMS))


def _repeated_keys(value: Any, path: str) -> Iterator[Problem]:
    if isinstance(value, _Object):
        for key in value.repeated:
            yield Problem(child(path, key), "given more than once")
        for key, item in value.items():
            yield from _repeated_keys(item, child(path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _repeated_keys(item, f"{path}[{index}]")


def odd_strings(value: Any, path: str) -> Iterator[Problem]:
    """Find characters that no file, argument or metadata can hold; a key may have several lines."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from odd_strings(key, path)
            yield from odd_strings(item, child(path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from odd_strings(item, f"{path}[{index}]")
    elif isinstance(value, str):
        allowed = "\r\n\t" if path.endswith(_OF_SEVERAL_LINES) else ""
        if any((ord(c) < 32 and c not in allowed) or ord(c) == 127 or 0xD800 <= ord(c) < 0xE000 for c in value):
            yield Problem(path, "holds a control character or half of a surrogate pair")


def child(path: str, key: str) -> str:
    """Return the JSON path of a member."""
    return f"{path}.{key}" if re.fullmatch(r"\w+", key) else f"{path}[{json.dumps(key)}]"


def unknown_keys(value: Any, rule: Mapping[str, Any], path: str) -> Iterator[tuple[str, str]]:
    """Walk *value* beside its schema; give what has no place there."""
    if isinstance(value, dict) and "additionalProperties" in rule:
        for key, item in value.items():
            yield from unknown_keys(item, rule["additionalProperties"], child(path, key))
    elif isinstance(value, dict) and "properties" in rule:
        known = rule["properties"]
        for key, item in value.items():
            if key in known:
                yield from unknown_keys(item, known[key], child(path, key))
            else:
                close = difflib.get_close_matches(key, known, n=1, cutoff=_ALIKE)
                yield child(path, key), "unknown key" + (f"; did you mean {close[0]}?" if close else "")
    elif isinstance(value, list) and "items" in rule:
        for index, item in enumerate(value):
            yield from unknown_keys(item, rule["items"], f"{path}[{index}]")


def shape_problems(document: Any, rule: Mapping[str, Any]) -> list[Problem]:
    """Check against a schema, in words of our own."""
    errors = itertools.islice(jsonschema.Draft7Validator(rule).iter_errors(document), MOST_PROBLEMS)
    problems = []
    for error in sorted(errors, key=lambda error: [str(part) for part in error.absolute_path]):
        path = "$"
        for part in error.absolute_path:
            path = f"{path}[{part}]" if isinstance(part, int) else child(path, str(part))
        problems += [Problem(path, message) for message in _in_words(error)]
    return problems


def _in_words(error: Any) -> Iterator[str]:
    rule, wanted, found = error.validator, error.validator_value, shown(error.instance)
    if _SECRETS & set(map(str, error.absolute_path)):
        found = "what was given"
    if rule == "required":
        # The library reports each missing key by itself; the key stands only in its prose.
        yield f"{error.message.split(' ')[0]} is missing"
    elif rule == "type":
        names = wanted if isinstance(wanted, list) else [wanted]
        yield f"must be {' or '.join(_article(name) for name in names)}, not {found}"
    elif rule == "enum":
        yield f"{found} is not one of {', '.join(map(str, wanted))}"
    elif rule in ("minLength", "minItems", "minProperties"):
        yield "must not be empty"
    elif rule == "pattern":
        yield f"{found} does not have the form {wanted}"
    else:
        yield f"{found} is out of range ({rule}: {wanted})"


def _article(name: str) -> str:
    return name if name == "null" else f"an {name}" if name[0] in "aio" else f"a {name}"


def shown(value: Any) -> str:
    """Return a value as JSON, cut to what a message can hold."""
    text = json.dumps(value)
    return text if len(text) <= _LONGEST_SHOWN else text[:_LONGEST_SHOWN] + "..."
