"""What dpkg and debconf are told of packages.

Owns the answers to questions that packages ask while they are configured, and which packages stay at their version.
The answers may be secret: they go through standard input.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from fuel_image.customisation.asked import Selection
from fuel_image.errors import BuildError
from fuel_image.tree.chroot import Chroot
from fuel_image.tree.installed import Installed


def answer(chroot: Chroot, selections: Sequence[Selection]) -> None:
    """Have debconf know the answers before it asks."""
    if not selections:
        return
    lines = "".join(f"{one.package} {one.question} {one.kind} {one.value}\n" for one in selections)
    chroot.run("debconf-set-selections", stdin=lines, doing="answering the questions of packages")


def hold(chroot: Chroot, names: Sequence[str], there: Sequence[Installed]) -> None:
    """Keep packages at their version, as apt-mark(8) does. Raises BuildError for one that is not installed."""
    known = {one.name for one in there}
    for name in names:
        if name.partition(":")[0] not in known:
            close = difflib.get_close_matches(name, known, n=1)
            advice = f"did you mean {close[0]}?" if close else "add it to the packages"
            raise BuildError(f"holding packages: {name} is not installed", advice=advice)
    if names:
        lines = "".join(f"{name} hold\n" for name in names)
        chroot.run("dpkg", "--set-selections", stdin=lines, doing="holding packages")
