"""The page of what was tried: a pytest plugin (``-p tests.torture.page --page FILE``).

Owns how the counts of a run become docs/reliability.rst: a section for each module of tests, named by the first
sentence of its docstring, and a row for each test, which is the first sentence of its own. Nothing in it is written by
hand but what the words mean, so that it says no more than what the run has seen.
"""

from __future__ import annotations

import collections
import platform
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tabulate import tabulate

from .examples import EXAMPLES

_ABOUT = """\
Reliability
===========

What was done to fuel-image on purpose, and whether it kept its promises. Each row is a test of ``tests/torture``, and
says what it promises; *tried* is how many cases were tried in the run that wrote this page, *held* in how many the
promise held. After every test nothing of it is mounted, attached to a loop device or running, or the test fails.
``make torture`` runs it all and writes the page; ``make test`` runs the same with fewer examples and without the
longest.
"""

_OUTCOMES = collections.defaultdict(
    lambda: "an error of the tests",
    {
        pytest.ExitCode.OK: "every promise held",
        pytest.ExitCode.TESTS_FAILED: "some did not hold",
        pytest.ExitCode.INTERRUPTED: "broken off: what comes last, the longest, is missing or counts less",
    },
)


@dataclass
class _Row:
    """A promise: how many cases were tried, and in how many it held."""

    tried: int = 0
    held: int = 0


@dataclass
class _Page:
    """The rows by section, in the order in which they are first seen to begin."""

    file: Path
    thorough: bool
    rows: dict[tuple[str, str], _Row] = field(default_factory=dict)
    began: float = field(default_factory=time.time)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        facts = dict(report.user_properties)
        if "promise" not in facts or (report.when != "call" and not report.failed):
            return
        cases = int(facts.get("cases", 1))  # type: ignore[call-overload]
        row = self.rows.setdefault((str(facts["section"]), str(facts["promise"])), _Row())
        if report.when == "call":
            row.tried += cases
            row.held += cases * report.passed
        else:  # what a test leaves behind breaks its promise, whatever it has found
            row.held = max(0, row.held - cases)

    def pytest_sessionfinish(self, exitstatus: int) -> None:
        self.file.write_text(self._text(pytest.ExitCode(exitstatus)), encoding="utf-8")

    def _text(self, code: pytest.ExitCode) -> str:
        parts = [_ABOUT]
        for section in sorted({section for section, _ in self.rows}):
            rows = [(promise, row) for (other, promise), row in sorted(self.rows.items()) if other == section]
            cells = [(promise, f"{row.tried:,}", f"{row.held:,}") for promise, row in rows]
            parts.append(f"{section}\n{'-' * len(section)}\n")
            parts.append(_table(cells, ("promise", "tried", "held")))
        parts.append("The run\n-------\n")
        parts.append(_table([*self._facts().items(), ("outcome", _OUTCOMES[code])], ("what", "which")))
        return "\n".join(parts)

    def _facts(self) -> Mapping[str, str]:
        commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], check=True, stdout=subprocess.PIPE, text=True)
        return {
            "promises": f"{len(self.rows):,}",
            "cases tried": f"{sum(row.tried for row in self.rows.values()):,}",
            "cases held": f"{sum(row.held for row in self.rows.values()):,}",
            "examples of each property": f"{EXAMPLES:,}",
            "the longest tests": "done" if self.thorough else "left out",
            "ended": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
            "minutes": f"{(time.time() - self.began) / 60:.0f}",
            "commit": commit.stdout.strip(),
            "kernel": platform.release(),
            "Python": platform.python_version(),
        }


def _table(cells: Sequence[tuple[str, ...]], headings: tuple[str, ...]) -> str:
    """Return a simple table of reStructuredText."""
    align = ("left", *("right" if heading in ("tried", "held") else "left" for heading in headings[1:]))
    return tabulate(cells, headings, tablefmt="rst", colalign=align, disable_numparse=True) + "\n"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--page", type=Path, required=True, help="the file to write the counts of this run to")


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):  # a worker of pytest-xdist reports to the one that writes
        config.pluginmanager.register(_Page(config.getoption("--page"), config.getoption("--thorough")))
