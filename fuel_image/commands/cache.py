"""``fuel-image cache``: what is kept between builds."""

from __future__ import annotations

import argparse
import time

from fuel_image import build, progress, settings
from fuel_image.archive.pool import Pool
from fuel_image.commands import asked
from fuel_image.ending import apart
from fuel_image.errors import EXIT_DONE
from fuel_image.printable import legible
from fuel_image.settings import Settings
from fuel_image.sizes import megabytes
from fuel_image.tree.layers import Store

ABOUT = "list, explain or prune what is kept between builds"
_SHORT = 12


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="print what is kept, with its size and its last use")
    listing.set_defaults(act=_list)
    asked.add_settings(listing, "cache_dir")
    explain = actions.add_parser("explain", help="say which kept layers a build would use, and why not the others")
    explain.set_defaults(act=_explain)
    asked.add_arguments(explain)
    prune = actions.add_parser("prune", help="remove what was used longest ago, down to the site's limits")
    prune.set_defaults(act=_prune)
    asked.add_settings(prune, "cache_dir")
    prune.add_argument("--all", action="store_true", help="remove everything that no build is using")


def run(options: argparse.Namespace) -> int:
    """Do what the action says."""
    code: int = options.act(options)
    return code


def _typed(options: argparse.Namespace) -> Settings:
    return settings.typed(asked.found(options))


def _explain(options: argparse.Namespace) -> int:
    planned, site = asked.understood(options, building=False)

    def body() -> int:
        with progress.shown(live=not options.quiet):
            lines = build.explain(planned, site)
        print(legible("\n".join(lines)))
        return EXIT_DONE

    return apart(body)


def _list(options: argparse.Namespace) -> int:
    print(legible("\n".join(_listed(_typed(options)))))
    return EXIT_DONE


def _prune(options: argparse.Namespace) -> int:
    site = _typed(options)
    build.prune(site, everything=options.all)
    print(legible("\n".join(_listed(site))))
    return EXIT_DONE


def _listed(site: Settings) -> list[str]:
    layers = sorted(Store(site.cache_dir / build.LAYERS).kept(), key=lambda one: one.used, reverse=True)
    count, size_bytes = Pool(site.cache_dir / build.POOL).usage()
    total = sum(one.size_bytes for one in layers)
    lines = [f"layers: {len(layers)}, {megabytes(total)} of {megabytes(site.layers_limit_bytes)}"]
    for one in layers:
        used = time.strftime("%Y-%m-%d %H:%M", time.localtime(one.used))
        packages = len(one.inputs.get("packages", ()))
        on = f", on {one.below[:_SHORT]}" if one.below else ""
        lines.append(
            f"  {one.key[:_SHORT]}  used {used}  {megabytes(one.size_bytes):>10}  {one.name} ({packages} packages{on})"
        )
    lines.append(f"fetched files: {count}, {megabytes(size_bytes)} of {megabytes(site.packages_limit_bytes)}")
    return lines
