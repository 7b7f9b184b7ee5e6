"""The phases of a build with elements: their hooks, run in the tree and on the host.

Owns where the hooks lie, what they are given, and how a failure is worded. Which phases there are, and which files are
hooks, is ``elements/hooks.py``'s; what becomes of a phase when it is done is ``stages.py``'s. It must not choose
elements.

The hooks of all elements lie together in the tree, at a place that ends with the build: as they are seen in the tree is
how they are kept from one phase to the next, with what hooks add to them. In the phases that run inside they cannot be
changed.
"""

from __future__ import annotations

import dataclasses
import os
import shlex
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from fuel_image.elements.asked import Chosen
from fuel_image.elements.element import Element
from fuel_image.elements.hooks import ENVIRONMENT, Hook, Phase, entries, in_order, name_objection
from fuel_image.elements.systems import REPLACED
from fuel_image.errors import BuildError, CommandError
from fuel_image.host import command, kernel
from fuel_image.host.mounts import bound
from fuel_image.progress import step
from fuel_image.request import Proxies
from fuel_image.tree import shell
from fuel_image.tree.apt import ENVIRONMENT as CLOSED_APT
from fuel_image.tree.chroot import Chroot
from fuel_image.tree.outside import MOUNT_POINT
from fuel_image.tree.root import Tree
from fuel_image.tree.scripts import RESOLV_CONF, host_s_resolv_conf

HOOKS = "/tmp/in_target.d"
"""Where hooks find what elements bring (a name that they rely on)."""
_READ = "/run/variables"
_ORIGINAL = f"{RESOLV_CONF}.ORIG"
_HELPING = ("package-installs", "pkg-map", "dpkg", "svc-map")
_HELPERS = ("/usr/share/pkg-map", "/usr/share/svc-map", "/usr/local/bin/dib-init-system")
"""Elements whose programs in /usr/local/bin, and files which, are of use to hooks alone; theirs stay in the image."""
_LIBRARY = Path(__file__).parent.parent / "elements/lib"
_PROGRAMS = "bin"
_PYTHON = f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n'
_PATH_INSIDE = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_ADVICE = "the lines above are its last; --shell opens a shell in the tree as it was then"
_TOO_LONG = "see what it waits for, or raise script_limit in the site's configuration"
_NOT_KEPT = ("_", "PWD", "OLDPWD", "SHLVL", "LD_PRELOAD")
_READER = """\
set -eu -o pipefail
for file in "${@:2}"; do
    echo "reading $file"
    source "$file"
done
env -0 > "$1"
"""
"""What bash reads the environment of hooks with: a file may return, fail, and look at what those before it set."""


@dataclass(frozen=True)
class Surroundings:
    """What hooks work with: *directory* is theirs on the host, *cache* outlives the build.

    With *shell* one that fails opens a shell in the tree, with its variables and the network.
    """

    chosen: Chosen
    arch: str
    codename: str
    mirror: str
    proxies: Proxies
    directory: Path
    cache: Path
    shell: bool

    @property
    def mount_point(self) -> Path:
        """Where hooks on the host find the tree."""
        return self.directory / MOUNT_POINT


def gather(tree: Tree, elements: Sequence[Element]) -> None:
    """Put what *elements* bring beside what others have brought, each directory in that of the same name."""
    tree.mkdir(HOOKS)
    for element in elements:
        for path in entries(element.directory):
            inside = f"{HOOKS}/{path.relative_to(element.directory)}"
            at_top = path.parent == element.directory
            if path.is_symlink() and not at_top:
                tree.remove(inside)
                tree.symlink(inside, os.readlink(path))
            elif path.is_dir():
                tree.mkdir(inside, mode=0o755 if at_top else path.stat().st_mode & 0o7777)
            else:
                _copy(tree, path, inside, path.stat().st_mode & 0o777)
    _copy(tree, _LIBRARY / "dib-run-parts", f"{HOOKS}/dib-run-parts", 0o755)


def _copy(tree: Tree, path: Path, inside: str, mode: int) -> None:
    tree.remove(inside)
    with tree.writing(inside, mode=mode) as file, path.open("rb") as source:
        shutil.copyfileobj(source, file)


def run(chroot: Chroot, phase: Phase, around: Surroundings) -> None:
    """Run the hooks of a phase, in their order. Raises CommandError that names the hook and its element."""
    hooks = _hooks(chroot.tree, phase, around)
    if not hooks:
        return
    _prepare(around)
    with step(f"Phase {phase.name}"), ExitStack() as stack:
        stack.enter_context(_resolving(chroot.tree))
        if phase.inside:
            place = chroot.tree.path / HOOKS.lstrip("/")
            stack.enter_context(bound(place, place, kernel.MS_RDONLY | kernel.MS_NODEV | kernel.MS_NOSUID))
        given = _given(phase, around)
        variables = _read(chroot, phase, around, given)
        for hook in hooks:
            doing = f"running {phase.name}.d/{hook.name} of the element {hook.element or 'that made it'}"
            instead = REPLACED.get((hook.element, hook.name))
            if instead is None:
                _start(chroot, phase, around, (str(hook.path),), doing, variables)
            elif instead:
                doing = f"running {' '.join(instead)} in place of {phase.name}.d/{hook.name}"
                proxies = {name: value for name, value in given.items() if name.endswith("_proxy")}
                _start(chroot, dataclasses.replace(phase, inside=True), around, instead, doing, proxies)


def _prepare(around: Surroundings) -> None:
    """Make the directories of hooks on the host, and there sudo, which it may lack, and a Python that has YAML."""
    for directory in (around.directory / _PROGRAMS, around.cache / "lockfiles"):
        directory.mkdir(parents=True, exist_ok=True)
    texts = {"sudo": (_LIBRARY / "sudo").read_text(encoding="utf-8"), "python3": _PYTHON}
    for name, text in texts.items():
        program = around.directory / _PROGRAMS / name
        program.write_text(text, encoding="utf-8")
        program.chmod(0o755)


@contextmanager
def _resolving(tree: Tree) -> Iterator[None]:
    """Give the tree the host's resolv.conf for the length of the block, if it has none that hooks have made.

    What it had is kept at a name by which hooks know it: what they put there is the image's in the end.
    """
    if tree.exists(RESOLV_CONF) and not tree.exists(_ORIGINAL):
        tree.move(RESOLV_CONF, _ORIGINAL)
    if tree.exists(RESOLV_CONF):
        yield
        return
    with host_s_resolv_conf(tree):
        yield


def leave(tree: Tree, chosen: Chosen) -> None:
    """Remove what only the phases needed: the hooks, the programs that help them, and the name of resolv.conf."""
    if not tree.exists(RESOLV_CONF) and tree.exists(_ORIGINAL):
        tree.move(_ORIGINAL, RESOLV_CONF)
    for path in (_ORIGINAL, HOOKS, *_HELPERS):
        tree.remove(path)
    for element in chosen.elements:
        if element.name in _HELPING:
            for program in (element.directory / "bin").glob("*"):
                tree.remove(f"/usr/local/bin/{program.name}")


def _hooks(tree: Tree, phase: Phase, around: Surroundings) -> list[Hook]:
    """Return what runs: hooks of the elements, and what hooks of earlier phases have put beside them."""
    found, elements = [], around.chosen.elements
    top = Path("/") if phase.inside else around.mount_point
    for name in tree.names(f"{HOOKS}/{phase.name}.d"):
        inside = f"{HOOKS}/{phase.name}.d/{name}"
        owners = [one.name for one in elements if (one.directory / f"{phase.name}.d" / name).exists()]
        hook = Hook(owners[0] if owners else "", phase.name, top / inside.lstrip("/"))
        if not name_objection(hook) and tree.leads_to_file(inside, executable=True):
            found.append(hook)
    return in_order(found)


def _read(chroot: Chroot, phase: Phase, around: Surroundings, given: Mapping[str, str]) -> dict[str, str]:
    """Let bash read the files of environment.d, where the hooks run; return the variables as they are then."""
    top = Path("/") if phase.inside else around.mount_point
    directory = f"{HOOKS}/{ENVIRONMENT}.d"
    files = [Hook("", ENVIRONMENT, top / directory.lstrip("/") / name) for name in chroot.tree.names(directory)]
    files = [one for one in files if chroot.tree.leads_to_file(f"{directory}/{one.name}") and not name_objection(one)]
    paths = [str(one.path) for one in in_order(files)]
    result = top / _READ.lstrip("/")
    doing = f"reading environment.d for the phase {phase.name}"
    _start(chroot, phase, around, ("bash", "-c", _READER, "environment.d", str(result), *paths), doing, given)
    if not chroot.tree.exists(_READ):
        raise BuildError(f"{doing}: a file ended the shell (exit), where it may only return")
    pairs = [entry.partition("=") for entry in chroot.tree.read(_READ).split("\0") if entry]
    chroot.tree.remove(_READ)
    return {name: value for name, _, value in pairs if name not in _NOT_KEPT}


def _start(
    chroot: Chroot, phase: Phase, around: Surroundings, argv: Sequence[str], doing: str, variables: Mapping[str, str]
) -> None:
    own = {name: value for name, value in chroot.environment.items() if name not in CLOSED_APT}
    inside = dataclasses.replace(chroot, environment={**own, **variables, "PATH": _PATH_INSIDE}, network=True)
    with shell.offered(inside, wanted=around.shell):
        if phase.inside:
            inside.run(*argv, doing=doing, advice=_ADVICE)
        else:
            _start_outside(chroot, around, argv, doing, variables)


def _start_outside(
    chroot: Chroot, around: Surroundings, argv: Sequence[str], doing: str, variables: Mapping[str, str]
) -> None:
    open_to_it = (chroot.tree.path, around.directory, around.cache)
    try:
        command.run(
            *(sys.executable, "-m", "fuel_image.tree.outside", *map(os.path.realpath, open_to_it)),
            "--",
            *argv,
            doing=doing,
            env={**variables, "FUEL_IMAGE_PYTHONPATH": str(_LIBRARY / "python"), "PYTHONPATH": command.PACKAGE_PARENT},
            timeout_seconds=chroot.limit_seconds,
            label=argv[0],
            advice=_ADVICE,
        )
    except CommandError as error:
        if error.exit_code_of_command is None:
            message = f"{doing}: it took more than {chroot.limit_seconds:.0f} seconds"
            raise CommandError(message, advice=_TOO_LONG, tail=error.tail, running=error.running) from error
        raise


def _given(phase: Phase, around: Surroundings) -> dict[str, str]:
    """Return the variables that hooks of a phase are given."""
    elements = around.chosen.elements
    paths = {one.name: str(one.directory) for one in elements}
    array = " ".join(f"[{name}]={path}" for name, path in paths.items())
    given = {
        "LC_ALL": "C",
        "HOME": "/root",
        "USER": "root",
        "PATH": _PATH_INSIDE if phase.inside else f"{around.directory / _PROGRAMS}:{_PATH_INSIDE}",
        "ARCH": around.arch,
        "FS_TYPE": "ext4",
        "IMAGE_NAME": str(around.directory / "image"),
        "IMAGE_TYPE": "raw",
        "IMAGE_ELEMENT": " ".join(paths),
        "IMAGE_ELEMENT_YAML": yaml.safe_dump(paths),
        "BASH_FUNC_get_image_element_array%%": f'() {{  echo "{array} "\n}}',
        "BASH_FUNC_die%%": '() {  echo "ERROR: $*" >&2;\n exit 1\n}',
        "ELEMENTS_PATH": ":".join(dict.fromkeys(str(one.directory.parent) for one in elements)),
        "TMP_MOUNT_PATH": str(around.mount_point),
        "TMP_BUILD_DIR": str(around.directory),
        "TMP_HOOKS_PATH": f"{around.mount_point}{HOOKS}",
        "TMP_IMAGE_DIR": str(around.directory),
        "_LIB": str(_LIBRARY),
        "DIB_ARGS": "",
        "DIB_BOOT_LABEL": "",
        "DIB_CHECKSUM": "0",
        "DIB_DEBUG_TRACE": "0",
        "DIB_DEFAULT_INSTALLTYPE": "source",
        "DIB_DISTRIBUTION_MIRROR": around.mirror,
        "DIB_ENV": "",
        "DIB_IMAGE_CACHE": str(around.cache),
        "DIB_LOCKFILES": str(around.cache / "lockfiles"),
        "DIB_MIN_TMPFS": "2",
        "DIB_MOUNTPOINTS": "/",
        "DIB_NO_TMPFS": "0",
        "DIB_OFFLINE": "",
        "DIB_PYTHON_EXEC": sys.executable,
        "DIB_PYTHON_VERSION": "3",  # or dib-python looks for Python 2 in Debian
        "DIB_RELEASE": around.codename,
        "DIB_ROOT_FSTYPE": "ext4",
        "DIB_ROOT_LABEL": "cloudimg-rootfs",
        **{f"{scheme}_proxy": url for scheme, url in around.proxies.by_scheme},
        "no_proxy": ",".join(around.proxies.direct_hosts),
        **dict(around.chosen.environment),
    }
    if phase.name in ("root", "cleanup"):
        given["TARGET_ROOT"] = str(around.mount_point)
    return given
