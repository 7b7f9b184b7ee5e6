"""The arguments of the commands that look at a published set, and how they reach it."""

from __future__ import annotations

import argparse

from fuel_image.archive.throttle import Throttle
from fuel_image.archive.transport import Transport
from fuel_image.host.cpus import cpus
from fuel_image.request import Proxies

_HELP = "the path or URL of a metadata file"


def add_set(parser: argparse.ArgumentParser, name: str) -> None:
    """Add an argument that names a set."""
    parser.add_argument(name.lower(), metavar=name, help=_HELP)


def transport() -> Transport:
    """Return a way to files and to HTTP, by the proxies of the environment."""
    return Transport(Proxies(), cpus(), Throttle(None))
