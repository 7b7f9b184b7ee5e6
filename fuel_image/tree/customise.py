"""What a request changes in a tree whose packages are installed.

Owns the order: first what goes, then what the system is, then the users, since files belong to them, then the files,
since units may be among them; scripts see all of that. How a thing is done is the matter of the module whose noun it
is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from fuel_image.archive.repositories import Repositories
from fuel_image.customisation.asked import Customisation
from fuel_image.errors import Problem
from fuel_image.progress import step
from fuel_image.tree import (
    apt,
    files,
    identity,
    kernel_settings,
    locales,
    scripts,
    selections,
    services,
    users,
)
from fuel_image.tree.chroot import Chroot
from fuel_image.tree.installed import Installed, installed


def problems(wanted: Customisation, repositories: Repositories) -> Iterable[Problem]:
    """Find what can be known to be wrong before there is a tree."""
    yield from apt.name_problems(repositories, wanted.remove_packages, "$.remove_packages")
    yield from files.problems(wanted.files)


def customise(
    chroot: Chroot, wanted: Customisation, repositories: Repositories, packages: Sequence[str]
) -> tuple[Installed, ...]:
    """Do all that is *wanted*; return what is installed then. Raises BuildError.

    *packages* are those that were asked for by name, and must not go.
    """
    tree = chroot.tree
    with step("Customising the tree"):
        apt.remove(chroot, repositories, wanted.remove_packages, packages)
        kernel_settings.write_all(tree, wanted)
        if wanted.timezone is not None:
            identity.set_timezone(tree, wanted.timezone)
        if wanted.hostname is not None:
            identity.set_hostname(tree, wanted.hostname)
        if wanted.locale is not None:
            locales.choose(chroot, wanted.locale)
        users.make_all(chroot, wanted.users)
        files.write_all(tree, wanted.files)
        services.apply(chroot, wanted.services)
    scripts.run_all(chroot, wanted.scripts)
    there = installed(chroot)
    selections.hold(chroot, wanted.holds, there)
    return there
