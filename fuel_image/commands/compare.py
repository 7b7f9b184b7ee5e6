"""``fuel-image compare``."""

from __future__ import annotations

import argparse

from fuel_image import compare, record
from fuel_image.commands.published import add_set, transport
from fuel_image.errors import EXIT_DONE
from fuel_image.printable import legible

ABOUT = "print what changed between two published sets"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add_set(parser, "OLD")
    add_set(parser, "NEW")


def run(options: argparse.Namespace) -> int:
    """Print what is different, or that nothing is."""
    way = transport()
    old, new = (record.fetched(location, way) for location in (options.old, options.new))
    print(legible("\n".join(compare.differences(old, new)) or "nothing has changed"))
    return EXIT_DONE
