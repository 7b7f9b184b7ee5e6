"""The page of what was tried: a pytest plugin (``-p tests.torture.page --page FILE``).

Owns how the counts of runs become docs/reliability.rst: a section for each module of tests, named by the first sentence
of its docstring, and a row for each test, which is the first sentence of its own. Nothing in it is written by hand but
what the words mean, so that it says no more than what the runs have seen. All of it takes hours, so it may be tried in
parts (``--page-part``): a part replaces the rows of what it has tried, and every row says in which run that was. The
counts themselves lie beside the page, as JSON.
"""

from __future__ import annotations

import collections
import json
import platform
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import pytest
from tabulate import tabulate

from .examples import EXAMPLES

_ABOUT = """\
Reliability
===========

What was done to fuel-image on purpose, and whether it kept its promises. Each row is a test of ``tests/torture``, and
says what it promises; *tried* is how many cases were tried, *held* in how many the promise held, *run* in which of the
runs below. After every test nothing of it is mounted, attached to a loop device or running, or the test fails.
``make torture`` runs it all, or a part of it, and writes the page; ``make test`` runs the same with fewer examples and
without the longest.
"""

_OUTCOMES = collections.defaultdict(
    lambda: "an error of the tests",
    {
        pytest.ExitCode.OK: "every promise held",
        pytest.ExitCode.TESTS_FAILED: "some did not hold",
        pytest.ExitCode.INTERRUPTED: "broken off: what comes last, the longest, is missing or counts less",
    },
)
_NUMBERS = ("tried", "held", "run", "cases", "examples of each property", "minutes")


@dataclass
class _Row:
    """A promise: how many cases were tried, and in how many it held, in a run (its number, from 1)."""

    section: str
    promise: str
    run: int
    tried: int = 0
    held: int = 0


@dataclass(frozen=True)
class _Run:
    """What a run was; *ended* is text, *longest* tells whether the longest tests were among it."""

    ended: str
    minutes: int
    commit: str
    kernel: str
    python: str
    examples: int
    longest: bool
    outcome: str


@dataclass
class _Page:
    """The rows of this run, by section and promise; with *part* those that earlier runs left stay, too."""

    file: Path
    thorough: bool
    part: bool
    rows: dict[tuple[str, str], _Row] = field(default_factory=dict)
    began: float = field(default_factory=time.time)

    def __post_init__(self) -> None:
        self.runs, self.earlier = _kept(self.file) if self.part else ([], [])

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        facts = dict(report.user_properties)
        if "promise" not in facts or (report.when != "call" and not report.failed):
            return
        cases = int(facts.get("cases", 1))  # type: ignore[call-overload]
        key = str(facts["section"]), str(facts["promise"])
        row = self.rows.setdefault(key, _Row(*key, len(self.runs) + 1))
        if report.when == "call":
            row.tried += cases
            row.held += cases * report.passed
        else:  # what a test leaves behind breaks its promise, whatever it has found
            row.held = max(0, row.held - cases)

    def pytest_sessionfinish(self, exitstatus: int) -> None:
        runs = [*self.runs, self._run(pytest.ExitCode(exitstatus))]
        stay = [row for row in self.earlier if (row.section, row.promise) not in self.rows]
        rows = sorted([*stay, *self.rows.values()], key=lambda row: (row.section, row.promise))
        _keep(self.file, runs, rows)
        self.file.write_text("\n".join(_text(runs, rows)), encoding="utf-8")

    def _run(self, code: pytest.ExitCode) -> _Run:
        commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], check=True, stdout=subprocess.PIPE, text=True)
        return _Run(
            ended=time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
            minutes=round((time.time() - self.began) / 60),
            commit=commit.stdout.strip(),
            kernel=platform.release(),
            python=platform.python_version(),
            examples=EXAMPLES,
            longest=self.thorough,
            outcome=_OUTCOMES[code],
        )


def _kept(page: Path) -> tuple[list[_Run], list[_Row]]:
    """Return the runs and rows that a page was made of; nothing if there is none."""
    file = page.with_suffix(".json")
    if not file.exists():
        return [], []
    facts = json.loads(file.read_text(encoding="utf-8"))
    return [_Run(**one) for one in facts["runs"]], [_Row(**one) for one in facts["rows"]]


def _keep(page: Path, runs: Sequence[_Run], rows: Sequence[_Row]) -> None:
    facts = {"runs": [asdict(run) for run in runs], "rows": [asdict(row) for row in rows]}
    page.with_suffix(".json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


def _text(runs: Sequence[_Run], rows: Sequence[_Row]) -> Iterator[str]:
    yield _ABOUT
    tried, held = sum(row.tried for row in rows), sum(row.held for row in rows)
    yield f"{len(rows):,} promises; {tried:,} cases tried, of which {held:,} held.\n"
    for section in sorted({row.section for row in rows}):
        cells = [
            (row.promise, f"{row.tried:,}", f"{row.held:,}", str(row.run)) for row in rows if row.section == section
        ]
        yield f"{section}\n{'-' * len(section)}\n"
        yield _table(cells, ("promise", "tried", "held", "run"))
    yield "The runs\n--------\n"
    headings = ("run", "ended", "minutes", "cases", "examples of each property", "longest tests", "outcome")
    cells_of_runs = []
    for number, run in enumerate(runs, 1):
        cases = sum(row.tried for row in rows if row.run == number)
        longest = "done" if run.longest else "left out"
        numbers = (str(number), run.ended, str(run.minutes), f"{cases:,}", f"{run.examples:,}")
        cells_of_runs.append((*numbers, longest, run.outcome))
    yield _table(cells_of_runs, headings)
    machines = [(str(number), run.commit, run.kernel, run.python) for number, run in enumerate(runs, 1)]
    yield _table(machines, ("run", "commit", "kernel", "Python"))


def _table(cells: Sequence[tuple[str, ...]], headings: tuple[str, ...]) -> str:
    """Return a simple table of reStructuredText."""
    align = tuple("right" if heading in _NUMBERS else "left" for heading in headings)
    return tabulate(cells, headings, tablefmt="rst", colalign=align, disable_numparse=True) + "\n"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--page", type=Path, required=True, help="the file to write the counts of this run to")
    parser.addoption("--page-part", action="store_true", help="leave there what earlier runs have counted")


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):  # a worker of pytest-xdist reports to the one that writes
        options = config.getoption("--page"), config.getoption("--thorough"), config.getoption("--page-part")
        config.pluginmanager.register(_Page(*options))
