"""The milestones of a build, in the words that a deployment looks for in its log.

Astute's progress bar greps the log for these lines and reckons with the time at their beginning
(``lib/astute/logparser/parser_patterns.rb``); the words, the misspelt one too, are those of the program that it was
written for. For people there are the steps of ``progress.py``.
"""

from __future__ import annotations

import enum
import logging

LOG = logging.getLogger(__name__)


class Milestone(enum.Enum):
    """What is reached, in the order of a build; a build that had nothing to do ends with ALREADY_BUILT."""

    BEGUN = "--- Building image (do_build_image) ---"
    SHIPPING = "*** Shipping image content ***"
    BOOTSTRAPPED = "Running deboostrap completed"
    INSTALLED = "Running apt-get install completed"
    DONE = "--- Building image END (do_build_image) ---"
    ALREADY_BUILT = "All necessary images are available. Nothing needs to be done."


def reached(milestone: Milestone) -> None:
    """Say in the log file that a milestone has been reached."""
    LOG.debug("%s", milestone.value)
