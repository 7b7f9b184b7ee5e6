"""Results of a benchmark that was never run."""

from __future__ import annotations

from typing import Any

MIRROR_SECONDS, PEAK_BYTES, SIZE_BYTES = 0.3, 1e8, 3e8


def run(name: str, *stages: tuple[str, float], **facts: float) -> dict[str, Any]:
    """Return a run of these stages, in seconds, with the facts that every report asks for."""
    every = {"size_bytes": SIZE_BYTES, "peak_bytes": PEAK_BYTES, "mirror_seconds": MIRROR_SECONDS, **facts}
    seconds = sum(one for _, one in stages)
    return {"name": name, "round": 1, "seconds": seconds, "stages": stages, "facts": every}


def results(*runs: dict[str, Any], **failed: str) -> dict[str, Any]:
    return {
        "date": "2026-01-02",
        "rounds": 1,
        "only": "",
        "machine": {"cores": "2"},
        "versions": {"gzip": "gzip 1.12"},
        "runs": list(runs),
        "failures": [{"name": name, "message": message} for name, message in failed.items()],
        "remarks": [],
    }


ORIGINAL = run("original", ("packages", 90.0), ("images", 1.0), ("compress", 30.0), ("digest", 1.0))
MMDEBSTRAP = run("mmdebstrap", ("packages", 40.0), ("images", 3.0), ("compress", 10.0), ("digest", 1.0), size_bytes=2e8)
COLD = run("cold", ("Installing", 20.0), ("Making images", 5.0))
TO_A_TAR_FILE = run("diskimage-builder", ("packages", 2.0), ("digest", 1.0), size_bytes=1e8)
"""Less than the same: nothing is compared with it."""
