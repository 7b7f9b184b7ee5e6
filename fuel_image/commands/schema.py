"""``fuel-image schema``."""

from __future__ import annotations

import argparse

from fuel_image import document
from fuel_image.errors import EXIT_DONE

ABOUT = "print the JSON schema of a request"


def add_arguments(_parser: argparse.ArgumentParser) -> None:
    """Add no arguments."""


def run(_options: argparse.Namespace) -> int:
    """Print the schema."""
    print(document.schema_text(document.REQUEST), end="")
    return EXIT_DONE
