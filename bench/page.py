"""The page of results.

Owns how the numbers are written: tables that are as readable on a terminal as in the documentation. What they mean is
in report.py and targets.py. It must not run or write anything.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence

from bench.report import OURS, WHOLE, Results, Spread, Summary, fastest_peer, peer_wins, summaries
from bench.targets import targets
from bench.workload import COMPONENTS, PACKAGES, POCKETS, SUITE

_POCKETS = ", ".join(SUITE + pocket for pocket in POCKETS)
_CONTENT = f"""\
Every pipeline builds the same: Ubuntu {_POCKETS}, {" and ".join(COMPONENTS)}; the base system and, without recommended
packages, {", ".join(PACKAGES)}; ``/boot`` as ext2 and ``/`` as ext4, each compressed with gzip, and digests. The
pipelines run in turn, each in a directory that is empty, peers with their own caches of packages full where they have
one:
"""
_ABOUT = f"""\
{textwrap.fill(_CONTENT, 118, break_on_hyphens=False)}

original
    as the first fuel-image did: debootstrap into mounted file systems, apt-get in the chroot, resize2fs, gzip, md5sum;
    it keeps no packages
mmdebstrap, mkosi
    their own way to a directory, then mke2fs from it, pigz and md5sum
diskimage-builder
    ubuntu-minimal, with some packages less, to a tar file and its md5sum: no file system and no compression, so that it
    is shown and not compared; its tree is on the disk, as all others are, and not in memory, where it can be too

fuel-image itself starts from different states: *cold*, with nothing; *pooled*, with the packages fetched;
*customised*, with the same request built before, and one small package more and another password asked for;
*images gone*, with everything kept but the images; *images present*, with the same request built just before.
*tools on a tree* are mke2fs, gzip and md5sum on a finished tree; *floor on a tree* is tar and our compressor, less
than which cannot be done. *tools to a disk* are mke2fs, sgdisk, grub-install and qemu-img convert -c, and digests, from
the same tree to a disk in a qcow2 that boots on a BIOS and on UEFI; *disk gone* is fuel-image from its kept tree to
such a disk. *together* are different builds at once on one cache, through a proxy that counts; its
time is that of all at once.

Our images are compressed with igzip at its level 1, those of the peers with pigz or gzip as they come, at level 6:
that is a part of our speed, and the price of it is in the sizes below.

Memory is the peak of what our own Python processes take together, shared pages once. Images are made in memory where
it has room for them twice over; they belong to no process and are not counted, and neither are apt, dpkg and mke2fs.
``make bench`` runs it all again.
"""


def page(results: Results) -> str:
    """Return the whole page as reStructuredText."""
    found = summaries(results)
    wins = [f"* {sentence}" for sentence in peer_wins(found)] or [_NO_WINS if fastest_peer(found) else _NO_PEERS]
    parts = [
        _title("Speed", "="), ".. image:: speed.svg\n   :alt: the stages of every pipeline, in seconds\n", _ABOUT,
        _title("Targets", "-"), _table(("target", "measured", "verdict"),
                                       ((one.wanted, one.measured, one.verdict) for one in targets(found))),
        _title("Where a peer wins", "-"), "\n".join(wins) + "\n",
        _title("Pipelines", "-"), _table(_HEADINGS, _rows(results, found)),
        *(f"{textwrap.fill(remark, 118)}\n" for remark in results["remarks"]),
        _title("Stages", "-"), _table(("pipeline", "stage", "median s", "min - max"), _stages(found)),
        _title("Machine and versions", "-"), _table(("what", "which"), _facts(results)),
    ]  # fmt: skip
    return "\n".join(parts)


_HEADINGS = ("pipeline", "median s", "min - max", "speed / fastest peer's", "images MB", "runs")
_NO_WINS, _NO_PEERS = "Nowhere in this run.", "No peer was run."


def _rows(results: Results, found: Mapping[str, Summary]) -> Iterator[Sequence[str]]:
    best = fastest_peer(found)
    for name, summary in found.items():
        compared = best is not None and name in (*WHOLE, *OURS)
        ratio = f"{found[best].seconds.median / summary.seconds.median:.2f}" if compared and best else ""
        size = summary.facts.get("size_bytes")
        megabytes = f"{size.median / 1e6:.0f}" if size and size.median else ""
        count = sum(run["name"] == name for run in results["runs"])
        yield name, f"{summary.seconds.median:.1f}", _range(summary.seconds), ratio, megabytes, str(count)
    for failure in results["failures"]:
        yield failure["name"], "failed", "", failure["message"].splitlines()[0].rstrip(":"), "", ""


def _stages(found: Mapping[str, Summary]) -> Iterator[Sequence[str]]:
    for name, summary in found.items():
        for stage, seconds in summary.stages:
            yield name, stage, f"{seconds.median:.1f}", _range(seconds)


def _facts(results: Results) -> Iterator[Sequence[str]]:
    yield "date", str(results["date"])
    yield "rounds", str(results["rounds"])
    for group in ("machine", "versions"):
        for name, value in results[group].items():
            yield name, str(value)


def _range(spread: Spread) -> str:
    return f"{spread.low:.1f} - {spread.high:.1f}"


def _title(text: str, line: str) -> str:
    return f"{text}\n{line * len(text)}\n"


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a simple table; its columns are as wide as their content."""
    cells = [tuple(headings), *(tuple(row) for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(headings))]
    rule = "  ".join("=" * width for width in widths)
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in cells]
    return "\n".join([rule, lines[0], rule, *lines[1:], rule, ""])
