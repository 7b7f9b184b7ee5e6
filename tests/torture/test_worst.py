"""Bombs. Each is read in a process of its own, whose memory and time are bounded."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from .worst import WORST

LONGEST_SECONDS = 120
"""None takes a tenth of it: this is a bound against hanging."""


@pytest.mark.parametrize("name", WORST)
def test_the_worst(name: str) -> None:
    """Bombs, absurd sizes and nesting without end are read in bounded memory, or refused in a line that says why."""
    argv = [sys.executable, "-m", "tests.torture.worst", name]
    ended = subprocess.run(argv, check=True, stdout=subprocess.PIPE, text=True, timeout=LONGEST_SECONDS)
    said, took_mib = json.loads(ended.stdout)
    assert WORST[name].says in said
    assert len(said) < 10_000
    assert took_mib <= WORST[name].most_mib
