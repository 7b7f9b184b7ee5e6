"""``fuel-image sample``."""

from __future__ import annotations

import argparse

from fuel_image import sample
from fuel_image.errors import EXIT_DONE

ABOUT = "print a working request for the release and mirror of this host"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("--suite", metavar="NAME", help="the release (the one of this host's apt configuration)")
    parser.add_argument(
        "--output", metavar="DIR", default="/var/www/nailgun/targetimages", help="the output (%(default)s)"
    )


def run(options: argparse.Namespace) -> int:
    """Print a request."""
    print(sample.sample(options.suite, options.output))
    return EXIT_DONE
