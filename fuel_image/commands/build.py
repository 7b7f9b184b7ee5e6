"""``fuel-image REQUEST``: the command that needs no name."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from fuel_image import build, hooks, plan, progress
from fuel_image.commands import asked
from fuel_image.commands.table import aligned
from fuel_image.ending import apart
from fuel_image.errors import EXIT_DONE, HostError
from fuel_image.host import cpus
from fuel_image.sizes import megabytes

ABOUT = "build the images that a request asks for"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    asked.add_arguments(parser)
    parser.add_argument("--dry-run", action="store_true", help="print the plan and do nothing")
    parser.add_argument("--force", action="store_true", help="build even if the same set is there already")
    parser.add_argument("--no-cache", action="store_true", help="make every layer anew; fetched files are used still")
    parser.add_argument(
        "--keep-tree",
        type=Path,
        metavar="DIR",
        help="leave a copy of the tree in DIR, which must not exist; build anyway",
    )
    parser.add_argument("--shell", action="store_true", help="when a step in the tree fails, open a shell there")


def run(options: argparse.Namespace) -> int:
    """Build, and say what came of it."""
    if options.shell and not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise HostError("--shell needs a terminal", advice="leave it out, or use --keep-tree and --log-file")
    planned, settings = asked.understood(options, building=not options.dry_run)
    if options.dry_run:
        print(plan.described(planned))
        return EXIT_DONE
    wanted = build.Options(
        use_cache=not options.no_cache,
        use_published=not options.force and options.keep_tree is None,
        keep_tree=options.keep_tree and options.keep_tree.absolute(),
        shell=options.shell,
    )

    def body() -> int:
        if settings.cpus is not None:
            cpus.limit(settings.cpus)
        metadata = planned.request.metadata_path
        with progress.shown(live=not options.quiet), hooks.told_of_failure(settings.hooks, metadata):
            built = build.build(planned, settings, wanted)
        if isinstance(built, build.Built):
            hooks.tell_published(settings.hooks, metadata)
        if not options.quiet:
            progress.console_lines(_summary(built) if isinstance(built, build.Built) else str(built))
        return EXIT_DONE

    return apart(body)


def _summary(built: build.Built) -> str:
    rows = [("file", "of", "format", "container", "size", "raw size")]
    for one in built.artifacts:
        raw_bytes = one.raw.size_bytes if one.raw else one.virtual_size_bytes
        sizes = (megabytes(one.packed.size_bytes), "-" if raw_bytes is None else megabytes(raw_bytes))
        rows.append((one.filename, one.mount or one.kind, one.format, one.container, *sizes))
    lines = aligned(rows)
    steps = progress.finished_steps()
    total = max(one.started + one.seconds for one in steps) - steps[0].started
    lines.append("")
    lines += [f"{one.seconds:7.1f} s  {one.seconds / total if total else 0:4.0%}  {one.title}" for one in steps]
    lines.append(f"{total:7.1f} s  in all; {built.installed} packages installed")
    lines.append(f"metadata: {built.metadata}")
    return "\n".join(["", *lines])
