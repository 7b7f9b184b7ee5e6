"""How many examples each property is tried with."""

from __future__ import annotations

import os
from typing import Any, Callable

from hypothesis import HealthCheck, settings

EXAMPLES = int(os.environ.get("FUEL_IMAGE_EXAMPLES", "1000"))
"""A thousand with every change, a hundred thousand where somebody has the time (make torture)."""

many: Callable[[Callable[..., Any]], Callable[..., Any]] = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
"""Let hypothesis try a test with that many examples."""
