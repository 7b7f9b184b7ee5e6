"""``fuel-image config``."""

from __future__ import annotations

import argparse
import textwrap

import yaml

from fuel_image import document
from fuel_image.commands import asked
from fuel_image.errors import EXIT_DONE, redact

ABOUT = "print the site's settings and where each of them comes from"
_WIDTH = 100


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    asked.add_settings(parser)


def run(options: argparse.Namespace) -> int:
    """Print the settings as YAML that can serve as a configuration."""
    rules = document.schema(document.SETTINGS)["properties"]
    blocks = []
    for name, setting in asked.found(options).items():
        meaning = textwrap.wrap(rules[name]["description"], _WIDTH, initial_indent="# ", subsequent_indent="# ")
        value = yaml.safe_dump(setting.value, default_flow_style=True, width=10_000).partition("\n")[0]
        blocks.append("\n".join([*meaning, f"{name}: {value}  # from: {setting.origin}"]))
    print(redact("\n\n".join(blocks)))
    return EXIT_DONE
