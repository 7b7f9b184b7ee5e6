"""The arguments that say what is asked for: a request, and the settings of the site.

Owns these arguments and the way from them to a plan and its settings. It must not build anything.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import sys
from contextlib import nullcontext
from pathlib import Path

from fuel_image import log, plan, request, settings
from fuel_image.document import LIMIT_BYTES
from fuel_image.errors import Problem, RequestError, redact
from fuel_image.plan import Plan
from fuel_image.request import Proxies, Request
from fuel_image.settings import Settings

_LONGEST_ARGUMENT_BYTES = 131_071  # MAX_ARG_STRLEN of Linux, without the NUL: what is longer never reaches a program

_SETTINGS = {
    "work_dir": ("DIR", "where to work"),
    "cache_dir": ("DIR", "what to keep between builds"),
    "log_file": ("FILE", "append everything to FILE"),
}
"""The settings that have an option: its argument and its meaning."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of a command that takes a request."""
    parser.add_argument("request", metavar="REQUEST", help="JSON text, PATH, @PATH or -")
    parser.add_argument("--strict", action="store_true", help="make unknown keys in the request errors")
    parser.add_argument("--quiet", action="store_true", help="say nothing but warnings and errors")
    add_settings(parser)


def add_settings(parser: argparse.ArgumentParser, *names: str) -> None:
    """Add the arguments for the site's settings: the file, and those of the settings that the command heeds."""
    parser.add_argument("--config", type=Path, metavar="FILE", help=f"the site's settings ({settings.FILE})")
    for name in names or _SETTINGS:
        metavar, meaning = _SETTINGS[name]
        parser.add_argument(f"--{name.replace('_', '-')}", metavar=metavar, help=f"{meaning}, instead of the site's")


def found(options: argparse.Namespace) -> dict[str, settings.Setting]:
    """Return the effective settings. Raises SettingsError."""
    given = {name: getattr(options, name, None) for name in _SETTINGS}
    return settings.effective(options.config, given)


def understood(options: argparse.Namespace, *, building: bool) -> tuple[Plan, Settings]:
    """Return the plan and the settings, with the log file open; the site wants one of those who are *building* only.

    Raises RequestError, SettingsError, HostError.
    """
    if options.quiet:
        log.quiet()
    typed = settings.typed(found(options))
    pattern = typed.log_file if building else options.log_file
    wanted = None
    try:
        wanted = request.parse(_text(options.request), strict=options.strict)
    finally:
        log.to_file(settings.log_path(pattern, wanted))
    return plan.make(_at_this_site(wanted, typed)), typed


def _at_this_site(wanted: Request, site: Settings) -> Request:
    """Return the request with what it leaves to the site; no other images come of it."""
    repositories = tuple(dataclasses.replace(one, keyrings=site.keyrings) for one in wanted.repositories)
    proxies = site.proxies if wanted.proxies == Proxies() else wanted.proxies
    return dataclasses.replace(wanted, repositories=repositories, proxies=proxies)


def shown(argument: str) -> str:
    """Return what may be seen of an argument of the program: nothing of a request, and no credentials."""
    return "{...}" if _is_text(argument) else redact(argument)


def _is_text(given: str) -> bool:
    """Tell whether an argument is JSON text, and not the name of a file."""
    return given.lstrip()[:1] in ("{", "[")


def _text(given: str) -> str:
    """Return the JSON text that the argument is or names. Raises RequestError."""
    if _is_text(given):
        _refuse_cut(given)
        return given
    path = given[1:] if given.startswith("@") else given
    try:
        with nullcontext(sys.stdin.buffer) if path == "-" else Path(path).open("rb") as file:
            content = file.read(LIMIT_BYTES + 1)
    except (OSError, ValueError, AttributeError) as error:  # a NUL in the path; a standard input that is closed
        name = given[:80] if not set('{"') & set(given) else "..."  # JSON text that lost its beginning, or is quoted
        message = f"neither JSON text nor a file that can be read: {name} ({getattr(error, 'strerror', error)})"
        raise RequestError([Problem("REQUEST", message)]) from None
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise RequestError([Problem("REQUEST", f"not UTF-8 at byte {error.start}")]) from None


def _refuse_cut(given: str) -> None:
    """Raise RequestError for JSON text that somebody cut where an argument must end."""
    if len(os.fsencode(given)) < _LONGEST_ARGUMENT_BYTES:
        return
    try:
        json.loads(given)
    except (ValueError, RecursionError) as error:
        message = f"not JSON ({error}), and as long as one argument may be, {_LONGEST_ARGUMENT_BYTES:,} bytes: "
        raise RequestError([Problem("REQUEST", f"{message}if it was cut, use @PATH")]) from None
