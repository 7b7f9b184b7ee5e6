"""What a request tells the kernel of the machine: its settings, its modules, its command line.

Owns the files from which systemd and GRUB's configuration read these, one for each, behind those of packages in their
order. It must not run programs.
"""

from __future__ import annotations

import difflib
import fnmatch
from collections.abc import Iterator, Sequence

from fuel_image.customisation.asked import Customisation
from fuel_image.errors import BuildError
from fuel_image.tree.root import Tree

_SYSCTL = "/etc/sysctl.d/zz-fuel-image.conf"
_MODULES = "/etc/modules-load.d/fuel-image.conf"
_GRUB = "/etc/default/grub.d/zz-fuel-image.cfg"
_OF_KERNELS = "/lib/modules"


def write_all(tree: Tree, wanted: Customisation) -> None:
    """Write what was asked for. Raises BuildError for a module that the kernels of the tree do not have."""
    _check_modules(tree, wanted.modules)
    parameters = " ".join(wanted.kernel_parameters)
    for path, lines in (
        (_SYSCTL, [f"{name} = {value}" for name, value in wanted.sysctl]),
        (_MODULES, list(wanted.modules)),
        # Both variables are on the command line; this one in GRUB's recovery mode, too.
        (_GRUB, [f'GRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX {parameters}"'] if parameters else []),
    ):
        if lines:
            tree.mkdir(path.rpartition("/")[0])
            tree.write(path, "".join(f"{line}\n" for line in lines))


def _check_modules(tree: Tree, modules: Sequence[str]) -> None:
    kernels = [path for name in tree.names(_OF_KERNELS) if tree.is_file(path := f"{_OF_KERNELS}/{name}/modules.dep")]
    if not modules or not kernels:  # the kernel may come later
        return
    known = {name for path in kernels for name in _names(tree, path.rpartition("/")[0])}
    for module in modules:
        name = module.replace("-", "_")
        if not any(fnmatch.fnmatchcase(name, one) for one in known):
            close = difflib.get_close_matches(name, known, n=1)
            advice = f"did you mean {close[0]}?" if close else ""
            raise BuildError(f"setting up modules: no kernel of the tree has {module}", advice=advice)


def _names(tree: Tree, kernel: str) -> Iterator[str]:
    """Give the names of a kernel's modules, those that are built in, and the patterns of other names for them."""
    for path in (f"{kernel}/modules.dep", f"{kernel}/modules.builtin"):
        for line in tree.read(path).splitlines() if tree.is_file(path) else ():
            yield line.partition(":")[0].rpartition("/")[2].partition(".ko")[0].replace("-", "_")
    aliases = f"{kernel}/modules.alias"
    for line in tree.read(aliases).splitlines() if tree.is_file(aliases) else ():
        words = line.split()
        if len(words) == 3 and ":" not in words[1]:
            yield words[1].replace("-", "_")
