"""``fuel-image verify``."""

from __future__ import annotations

import argparse

from fuel_image import progress, record, verify
from fuel_image.commands.published import add_set, transport
from fuel_image.errors import EXIT_DONE, EXIT_FAILED
from fuel_image.printable import legible
from fuel_image.sizes import megabytes

ABOUT = "check a published set against its record, in a directory or over HTTP"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add_set(parser, "METADATA")


def run(options: argparse.Namespace) -> int:
    """Print what is found of each file; the exit code tells whether all are as recorded."""
    way = transport()
    with progress.shown(live=True):
        findings = verify.verify(record.fetched(options.metadata, way), options.metadata, way)
    for finding in findings:
        image = finding.image
        inside = f" of {megabytes(image.raw.size_bytes)}" if image.raw else ""
        what = f"{megabytes(image.size_bytes)}, {image.format}{inside}"
        print(legible(f"{image.filename}: {'; '.join(finding.problems) or f'as recorded ({what})'}"))
    return EXIT_FAILED if any(finding.problems for finding in findings) else EXIT_DONE
