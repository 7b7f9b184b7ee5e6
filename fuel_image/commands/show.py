"""``fuel-image show``."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Iterator

from fuel_image import record
from fuel_image.commands.published import add_set, transport
from fuel_image.commands.table import aligned
from fuel_image.errors import EXIT_DONE
from fuel_image.printable import legible
from fuel_image.record import Record
from fuel_image.sizes import megabytes

ABOUT = "print a readable summary of a published set"
_WIDTH = 100
_SHORT = 12


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add_set(parser, "METADATA")


def run(options: argparse.Namespace) -> int:
    """Print the summary."""
    print(legible("\n".join(_summary(record.fetched(options.metadata, transport())))))
    return EXIT_DONE


def _summary(found: Record) -> Iterator[str]:
    maker = "another program" if found.version is None else f"fuel-image {found.version}"
    yield f"{' '.join(word for word in (found.system, found.codename, found.arch) if word)}, made by {maker}"
    yield ""
    rows = [("image", "mount", "file system", "container", "size", "raw size")]
    for one in found.images:
        raw = "-" if one.raw is None else megabytes(one.raw.size_bytes)
        rows.append((one.filename, one.mount or "-", one.format, one.container, megabytes(one.size_bytes), raw))
    yield from aligned(rows) if found.images else ()
    yield from _artifacts(found)
    yield ""
    rows_of_sources = [("repository", "suite", "components", "Release", "URI")]
    for source in found.sources:
        state = (source.release_sha256 or "-")[:_SHORT]
        rows_of_sources.append((source.name, source.suite, source.section or "-", state, source.uri))
    yield from aligned(rows_of_sources)
    yield ""
    yield f"packages: {len(found.wishes)} asked for, {len(found.installed) or 'an unknown number of'} installed"
    yield from textwrap.wrap(" ".join(found.wishes), _WIDTH, initial_indent="  ", subsequent_indent="  ")


def _artifacts(found: Record) -> Iterator[str]:
    if found.artifacts:
        yield from [""] if found.images else []
        rows = [("file", "kind", "format", "container", "size", "size of the disk")]
        for one in found.artifacts:
            disk = "-" if one.virtual_size_bytes is None else megabytes(one.virtual_size_bytes)
            rows.append((one.filename, one.kind, one.format, one.container, megabytes(one.size_bytes), disk))
        yield from aligned(rows)
