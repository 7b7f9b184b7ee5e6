"""Units of systemd that a request enables, disables or masks.

Owns the calls of the tree's own systemctl, which works on files where no systemd runs, and the finding of units that
do not exist: systemctl would disable or mask these without a word.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence

from fuel_image.customisation.asked import SERVICES
from fuel_image.errors import BuildError
from fuel_image.tree.chroot import Chroot

_SYSTEMCTL = ("systemctl", "--root=/")
_INIT_SCRIPTS = "/etc/init.d"
_MOST_SHOWN = 3


def apply(chroot: Chroot, services: Sequence[tuple[str, str]]) -> None:
    """Enable, disable and mask units, given as (verb, unit). Raises BuildError."""
    if not services:
        return
    if not any(chroot.tree.exists(f"{directory}/systemctl") for directory in ("/usr/bin", "/bin")):
        raise BuildError("setting up services: the tree has no systemctl", advice="add the package systemd")
    known = _known(chroot)
    wrong = [problem for verb, unit in services if (problem := _problem(verb, unit, known))]
    if wrong:
        raise BuildError(f"setting up services: {'; '.join(wrong)}")
    for verb in SERVICES:
        units = [unit for wanted, unit in services if wanted == verb]
        if units:
            chroot.run(*_SYSTEMCTL, verb, "--", *units, doing=f"setting up services: {verb} {' '.join(units)}")


def _known(chroot: Chroot) -> Mapping[str, str]:
    """Return the units of the tree with their states; an init script is one that systemd makes of it."""
    listing = (*_SYSTEMCTL, "list-unit-files", "--full", "--no-legend", "--no-pager")
    words = (line.split() for line in chroot.run(*listing, doing="listing units", want_output=True).text.splitlines())
    scripts = {f"{name}.service": "generated" for name in chroot.tree.names(_INIT_SCRIPTS)}
    return {**scripts, **{one[0]: one[1] for one in words if len(one) > 1}}


def _problem(verb: str, unit: str, known: Mapping[str, str]) -> str:
    name, dot, ending = unit.rpartition(".")
    template = f"{name.partition('@')[0]}@{dot}{ending}" if "@" in name else unit
    state = known.get(unit, known.get(template))
    if state is None:
        close = difflib.get_close_matches(unit, known, n=_MOST_SHOWN)
        return f"there is no unit {unit}" + (f" (but {', '.join(close)})" if close else "")
    if verb == "enable" and state == "static":
        return f"{unit} cannot be enabled: it has no section [Install], others start it"
    return ""
