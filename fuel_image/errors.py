"""The errors that end a build.

Owns the exception types and their exit codes, and how one is worded: what was being done, on what, what went wrong,
what to do. It must not log and must not decide what happens next; ``cli.main`` does both, once.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from fuel_image.printable import legible, one_line

EXIT_DONE = 0
EXIT_FAILED = 1
EXIT_BAD_REQUEST = 2
EXIT_HOST_UNABLE = 3

_MOST_SHOWN = 100
_SHORTEST_SECRET = 6
_USERINFO = re.compile(r"(?<=://)[^/\s]*@")


_hidden: set[str] = set()


def hide(values: Iterable[str]) -> None:
    """Let ``redact`` replace these values, too, from now on; what is shorter than a secret stays."""
    _hidden.update(value for value in values if len(value) >= _SHORTEST_SECRET)


def redact(text: str) -> str:
    """Return *text* with the credentials of every URL in it, and what is to be hidden, replaced by ``***``."""
    for value in _hidden:
        text = text.replace(value, "***")
    return _USERINFO.sub("***@", text)


def _listed(subject: str, problems: Sequence[Problem]) -> str:
    count = "a problem" if len(problems) == 1 else f"{len(problems)} problems"
    lines = [f"  {one_line(str(problem))}" for problem in problems[:_MOST_SHOWN]]
    if len(problems) > _MOST_SHOWN:
        lines.append(f"  and {len(problems) - _MOST_SHOWN} more")
    return "\n".join([f"{subject} has {count}:", *lines])


class FuelImageError(Exception):
    """Base of everything that may end a build; a subclass fixes the exit code.

    *message* is one line: what was being done, on what, what went wrong. *advice* says what to do. *tail* is the end
    of the output of the command that failed.
    """

    exit_code = EXIT_FAILED

    def __init__(self, message: str, *, advice: str = "", tail: Iterable[str] = ()) -> None:
        super().__init__(message)
        self.message = legible(redact(message))
        self.advice = legible(redact(advice))
        self.tail: Sequence[str] = tuple(one_line(redact(line)) for line in tail)

    def __str__(self) -> str:
        lines = [self.message]
        lines += [f"    | {line}" for line in self.tail]
        if self.advice:
            lines.append(f"  what to do: {self.advice}")
        return "\n".join(lines)


@dataclass(frozen=True)
class Problem:
    """One thing wrong with a request: where (a JSON path such as ``$.repos[0].uri``) and what."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"


class RequestError(FuelImageError):
    """The request cannot be built as it stands; carries every problem found, not only the first."""

    exit_code = EXIT_BAD_REQUEST

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems: tuple[Problem, ...] = tuple(problems)
        super().__init__(_listed("the request", self.problems))


class ElementsError(FuelImageError):
    """The elements cannot be taken together as they stand; tells every problem found, not only the first."""

    exit_code = EXIT_BAD_REQUEST

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__(_listed("the choice of elements", problems))


class HostError(FuelImageError):
    """The host cannot run the build: a tool, a privilege or space is missing."""

    exit_code = EXIT_HOST_UNABLE


class SettingsError(HostError):
    """The site's configuration cannot be used as it stands; tells every problem found, not only the first."""

    def __init__(self, file: Path, problems: Sequence[Problem]) -> None:
        super().__init__(_listed(f"the configuration {file}", problems))


class BuildError(FuelImageError):
    """The build failed."""


class TreeError(BuildError):
    """What packages have left at a place of the tree is not what must be there."""


class CommandError(BuildError):
    """A command failed; *exit_code_of_command* is negative for a signal.

    It is None when the command ran out of time; *running* are then the command lines of what it had started.
    """

    def __init__(
        self,
        message: str,
        *,
        exit_code_of_command: int | None = None,
        advice: str = "",
        tail: Iterable[str] = (),
        running: Iterable[str] = (),
    ) -> None:
        super().__init__(message, advice=advice, tail=tail)
        self.exit_code_of_command = exit_code_of_command
        self.running = tuple(one_line(redact(line)) for line in running)


class FetchError(BuildError):
    """A file could not be fetched from any of its mirrors; *missing* when one insisted that it has no such file."""

    def __init__(self, message: str, *, missing: bool = False, advice: str = "") -> None:
        super().__init__(message, advice=advice)
        self.missing = missing


class ReleaseError(BuildError):
    """A repository's Release file or index cannot be trusted or read."""


class ResolveError(BuildError):
    """The repositories do not hold the packages that were asked for."""


class Interrupted(BaseException):
    """A signal asked the build to stop. Not an Exception, so that nobody on the way up takes it for a failure."""

    def __init__(self, signal_number: int) -> None:
        super().__init__(f"interrupted by signal {signal_number}; everything half-made was removed")
        self.exit_code = 128 + signal_number
