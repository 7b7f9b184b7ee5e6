"""The command line: the only entry of the program.

Owns the table of commands and how their arguments are read. It must not know how anything is done.
"""

from __future__ import annotations

import argparse
import logging
import re
import sys
from collections.abc import Mapping, Sequence
from typing import Protocol

from fuel_image import __version__, log
from fuel_image.commands import asked, boot, build, cache, compare, config, elements, sample, schema, show, verify
from fuel_image.ending import guarded
from fuel_image.host import secrecy

LOG = logging.getLogger(__name__)


class Command(Protocol):
    """What the module of a command has."""

    ABOUT: str

    def add_arguments(self, parser: argparse.ArgumentParser, /) -> None:
        """Add the arguments of the command."""

    def run(self, options: argparse.Namespace, /) -> int:
        """Do it and return the exit code."""


COMMANDS: Mapping[str, Command] = {
    "sample": sample,
    "schema": schema,
    "config": config,
    "cache": cache,
    "show": show,
    "verify": verify,
    "compare": compare,
    "boot": boot,
    "elements": elements,
}
"""By their names. Without one the first argument is a request, which is built."""

_OPTION = re.compile(r"--?[a-z-]{1,20}")
_DESCRIPTION = """\
Build the file-system images of a machine from package repositories.

REQUEST is JSON text, or the path of a file that holds it (PATH or @PATH), or - for standard input. One argument has
up to 131,071 bytes; a longer request must be a file: @PATH. A request looks like this:

  {"image_data": {"/boot": {"uri": "http://10.0.0.1/node-boot.img.gz", "format": "ext2", "container": "gzip"},
                  "/":     {"uri": "http://10.0.0.1/node.img.gz",      "format": "ext4", "container": "gzip"}},
   "output": "/var/www/images",
   "repos": [{"name": "base", "uri": "http://mirror.example.org/ubuntu", "suite": "noble", "section": "main universe"}],
   "codename": "noble"}

One compressed image for each mount point and a metadata file (node.yaml) appear in output.
"""
_EPILOG = """\
commands:
{commands}

exit codes:
  0  done                                1  the build failed
  2  the request is bad                  3  this host is not able (a tool, a privilege, space or its configuration)
  129, 130, 143  interrupted by SIGHUP, SIGINT, SIGTERM

example:
  fuel-image sample > request.json && fuel-image request.json
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program and return its exit code."""
    argv = list(sys.argv[1:] if arguments is None else arguments)
    _utf8_streams()
    log.set_up()
    if arguments is None:
        _keep_secrets()
    name = argv[0] if argv and argv[0] in COMMANDS else ""
    parser = _parser(name)
    options, unknown = parser.parse_known_args(argv[1:] if name else argv)
    if unknown:  # argparse would print them: they may be pieces of a request that a shell has split
        parser.error(f"unrecognized arguments: {' '.join(one if _OPTION.fullmatch(one) else '...' for one in unknown)}")
    return guarded(lambda: (COMMANDS[name] if name else build).run(options))


def _keep_secrets() -> None:
    """Show nobody on this host what the request holds."""
    try:
        secrecy.rewrite_arguments(asked.shown)
        secrecy.leave_no_core()
    except OSError as error:
        LOG.warning("others on this host may see what the request holds: %s", error)


def _utf8_streams() -> None:
    """Write UTF-8 whatever the locale: callers serialise what we say."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")


def _parser(name: str) -> argparse.ArgumentParser:
    """Return the parser of the command *name*, or that of the program as a whole, which builds."""
    if name:
        about = COMMANDS[name].ABOUT
        parser = argparse.ArgumentParser(prog=f"fuel-image {name}", description=f"{about[0].upper()}{about[1:]}.")
        COMMANDS[name].add_arguments(parser)
        return parser
    commands = "\n".join(f"  fuel-image {other:<8} {command.ABOUT}" for other, command in COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog="fuel-image",
        description=_DESCRIPTION,
        epilog=_EPILOG.format(commands=commands),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    build.add_arguments(parser)
    parser.add_argument("--version", action="version", version=f"fuel-image {__version__}")
    return parser
