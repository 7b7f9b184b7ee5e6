"""``fuel-image boot``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from fuel_image import boot, settings
from fuel_image.commands import asked
from fuel_image.ending import apart
from fuel_image.errors import EXIT_DONE, EXIT_FAILED
from fuel_image.printable import legible

ABOUT = "boot a disk, or what a published set consists of, in a virtual machine"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("target", metavar="ARTIFACT|METADATA", type=Path, help="a whole disk, or a metadata file")
    parser.add_argument("--uefi", action="store_true", help="start by UEFI, as a machine that never ran, not by BIOS")
    parser.add_argument(
        "--check",
        action="store_true",
        help="end 0 if it comes to a login prompt, cloud-init finishes, no unit fails and no file is changed",
    )
    parser.add_argument("--screenshot", type=Path, metavar="FILE", help="write the screen at the login prompt as a PNG")
    parser.add_argument("--timeout", type=_seconds, metavar="SECONDS", help="how long it may run (900 with the above)")
    asked.add_settings(parser, "work_dir")


def run(options: argparse.Namespace) -> int:
    """Boot it: for the terminal, if there is one and nothing else is asked for, or else until that is known."""
    site = settings.typed(asked.found(options))
    screenshot = options.screenshot and options.screenshot.absolute()
    wish = boot.Wish(options.uefi, options.check, screenshot, options.timeout)
    target = options.target.absolute()
    on_terminal = sys.stdin.isatty() and sys.stdout.isatty()

    def watched() -> int:
        merits = boot.watched(target, wish, site.work_dir, _show)
        if merits:
            print(legible(f"{target.name}: {'; '.join(merits)}"))
        return EXIT_DONE

    def attended() -> int:
        print("The console is yours. Ctrl-A X ends the machine.", flush=True)
        return EXIT_FAILED if boot.attended(target, wish, site.work_dir) else EXIT_DONE

    by_itself = wish.ends_by_itself or wish.timeout_seconds is not None
    return apart(attended if on_terminal and not by_itself else watched)


def _show(text: str) -> None:
    print(text, end="", flush=True)


def _seconds(written: str) -> float:
    seconds = float(written)
    if not 0 < seconds < float("inf"):
        raise argparse.ArgumentTypeError("must be more than 0")
    return seconds
