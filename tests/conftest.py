"""What all tests share: a skip must be a named one."""

from __future__ import annotations

import os

import pytest

ALLOWED_SKIPS: dict[str, str] = {}
"""The beginning of a test's id to the reason for which it may be skipped in CI."""

_unexpected: list[str] = []


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--thorough", action="store_true", help="try the longest tests, too: hours for those of torture")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put what takes long last, or leave it out unless --thorough asks for it."""
    long = [item for item in items if item.get_closest_marker("thorough")]
    items[:] = [item for item in items if item not in long]
    if config.getoption("--thorough"):
        items += long
    else:
        config.hook.pytest_deselected(items=long)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.skipped and not any(report.nodeid.startswith(name) for name in ALLOWED_SKIPS):
        _unexpected.append(f"{report.nodeid}: {report.longrepr}")


def pytest_sessionfinish(session: pytest.Session) -> None:
    if _unexpected and os.environ.get("CI"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for line in _unexpected if os.environ.get("CI") else []:
        terminalreporter.write_line(f"skipped, which CI does not allow: {line}", red=True)
