"""What dpkg tells of its work.

Owns the understanding of its lines (as they are with LC_ALL=C): at which package it is, which one failed and why. From
these come how long it may go on and how a failure is worded. It must not run anything.
"""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Callable

from fuel_image.errors import CommandError
from fuel_image.host.command import ending

_AT = re.compile(
    r"(Setting up|Unpacking|Removing|Purging configuration files for|Processing triggers for) (\S+) \((\S+?)\)"
)
_UNPACKING = "Unpacking"
_TURNS = (_UNPACKING, "Setting up")
"""What makes a package the next one; before the first goes its preinst, after the second its postinst."""
_COMING = re.compile(r"Selecting previously unselected package (\S+)\.$")
_FAILED = re.compile(r"dpkg: error processing (?:package (\S+)|archive (?:\S*/)?(\S+)) \(--\S+\):")
_CAUSE = re.compile(r" (\S.*)")
_SIGNALS = frozenset(signal.Signals)
_SHELL_S = 128
"""The first process of the tree gives a death by signal as a shell does: as an exit code that is larger by this."""
_CONSEQUENCE = "dependency problems"
_ADVICE = "see what it waits for (--shell opens a shell in the tree); if it does need longer, raise script_limit"


class Account:
    """The account of one program in the tree, which unpacks or sets up so many *packages*.

    It may take *limit_seconds*, counted anew each time that a package is unpacked or set up which was not before: the
    time grows with the number of packages, and not with what a script says.
    """

    def __init__(self, limit_seconds: float, packages: int = 0, now: Callable[[], float] = time.monotonic) -> None:
        self._limit_seconds = limit_seconds
        self._packages = packages
        self._now = now
        self._since = now()
        self._begun: set[tuple[str, str]] = set()
        self._at = ""
        self._failing = ""
        self._failures: list[tuple[str, str]] = []

    def heed(self, line: str) -> None:
        """Take in a line of output."""
        if at := _AT.match(line):
            verb, name, version = at.groups()
            self._at = f"{name} {version}"
            if verb in _TURNS:
                self._begin(verb, name)
        elif coming := _COMING.match(line):
            self._at = coming[1]
            self._begin(_UNPACKING, coming[1])
        elif failed := _FAILED.match(line):
            self._failing = failed[1] or failed[2]
        elif self._failing and (cause := _CAUSE.match(line)):
            self._failures.append((self._failing, cause[1]))
            self._failing = ""

    def _begin(self, verb: str, name: str) -> None:
        """Begin to count anew, unless this has begun already, or there cannot be so many packages."""
        turn = (verb, name.partition(":")[0])
        if turn not in self._begun and len(self._begun) < len(_TURNS) * self._packages:
            self._begun.add(turn)
            self._since = self._now()

    def deadline(self) -> float:
        """Return the time, as time.monotonic tells it, after which the program has taken too long."""
        return self._since + self._limit_seconds

    def worded(self, error: CommandError, doing: str, program: str) -> CommandError:
        """Return the *error* with which *program* ended, naming the package and the cause as far as they are known."""
        code, advice = error.exit_code_of_command, error.advice
        if code is None:
            running = [line for line in error.running if "fuel_image.tree.inside" not in line]
            who = f"{self._at or program} took more than {self._limit_seconds:.0f} seconds"
            message, advice = f"{doing}: {who}; running then: {', '.join(running) or 'nothing'}", _ADVICE
        elif self._failures:
            others = [one for one in self._failures if not one[1].startswith(_CONSEQUENCE)]
            message = f"{doing}: " + ": ".join((others or self._failures)[0])
        else:
            if code - _SHELL_S in _SIGNALS:
                code = _SHELL_S - code
            message = f"{doing}: {program} {ending(code)}"
            message += f" at {self._at}" if self._at else ""
        return CommandError(message, exit_code_of_command=code, advice=advice, tail=error.tail)
