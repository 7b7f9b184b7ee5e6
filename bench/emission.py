"""From a tree at rest to published images: what the ordinary tools take, and the floor.

Owns the tree, taken from the images that our own build published, and the two pipelines that start from it. Ours is not
run here: its steps are in the log of the scenario ``images gone``.
"""

from __future__ import annotations

import functools

from bench import ours
from bench.measure import Stage
from bench.peers import COMPRESS, IMAGES, MD5SUM, POPULATE
from bench.pipelines import emptied, logged_stages, stages_run
from bench.scenario import Place, Run, Scenario

TOOLS = "tools on a tree"
FLOOR = "floor on a tree"

_UNPACK = """
for pair in boot:node-boot root:node; do
    tree=${pair%:*}
    mkdir mounted "$tree"
    gzip --decompress --stdout "$OUTPUT/${pair#*:}.img.gz" > raw.img
    mount -o loop,ro raw.img mounted
    cp --archive mounted/. "$tree"
    umount mounted
    rmdir mounted
    rm raw.img
done
"""
_BIND = """
mkdir boot root
mount --bind "$TREE/boot" boot
mount --bind "$TREE/root" root
"""
_PIPELINES = {
    TOOLS: (Stage(IMAGES, _BIND + POPULATE), Stage(COMPRESS, "gzip boot.img root.img"), MD5SUM),
    # Reading the tree once and compressing it once, as we do, on all CPUs: less cannot be done.
    FLOOR: (Stage(COMPRESS, 'tar --create --directory="$TREE" boot root | "$PYTHON" -m bench.floor > tree.gz'),),
}


def scenarios(place: Place) -> tuple[Scenario, ...]:
    """Return what is compared with our emission."""
    return tuple(
        Scenario(name, functools.partial(unpack, place), functools.partial(_run, place, name)) for name in _PIPELINES
    )


@functools.cache
def unpack(place: Place) -> None:
    """Make the tree anew, once in a run of the benchmark."""
    output = ours.fill(place).output
    tree = emptied(place.directory / "tree")
    logged_stages(place, "tree", (Stage("unpack", _UNPACK),), tree, {"OUTPUT": str(output)})


def _run(place: Place, name: str) -> Run:
    return stages_run(place, name, _PIPELINES[name], extra={"TREE": str(place.directory / "tree")})
