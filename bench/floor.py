"""The compressor of fuel-image and nothing else: standard input to standard output.

Owns the least that any publishing of a tree must do. It must not use the code that is measured.
"""

from __future__ import annotations

import os
import shutil
import sys

from isal import igzip_threaded

_LEVEL = 1  # as in fuel_image/images/containers.py
_CHUNK_BYTES = 4 << 20


def main() -> None:
    """Compress with all CPUs."""
    cpus = len(os.sched_getaffinity(0))
    with igzip_threaded.open(sys.stdout.buffer, "wb", compresslevel=_LEVEL, threads=cpus) as packed:  # type: ignore[no-untyped-call]
        shutil.copyfileobj(sys.stdin.buffer, packed, _CHUNK_BYTES)


if __name__ == "__main__":
    main()
