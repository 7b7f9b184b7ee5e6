"""The CPUs that the build uses.

Owns their count and its limit, which everything that the build starts inherits.
"""

from __future__ import annotations

import os
import random


def cpus() -> int:
    """Return how many CPUs this process may use."""
    return len(os.sched_getaffinity(0))


def limit(count: int) -> None:
    """Let this process and what it starts use no more than *count* of the CPUs that it may use.

    Which of them is left to chance, so that two builds need not share theirs (sched_setaffinity(2)).
    """
    usable = sorted(os.sched_getaffinity(0))
    if count < len(usable):
        os.sched_setaffinity(0, random.sample(usable, count))
