"""The tree's own apt.

Owns how packages are chosen and installed once apt works in the tree. apt decides what to install, against indices
that we verified; we fetch it; apt installs it without downloading. Everything that apt is told (sources, pins, lists)
lies below /run, a tmpfs: nothing of it can stay in the image, and the tree's /etc/apt is never touched.

Each repository appears to apt under a host name of its own, ``repository-N.invalid``: no mirror's name and no
credentials enter the tree, and a pin by origin (apt_preferences(5)) means exactly one repository, not all that share
the fields of a Release or a component (LP1488844). Its place in the request is read back from that name.
"""

from __future__ import annotations

import difflib
import logging
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from fuel_image.archive.choices import Choice
from fuel_image.archive.packages import Package
from fuel_image.archive.pool import Pool
from fuel_image.archive.repositories import OpenRepository, Repositories
from fuel_image.errors import BuildError, Problem
from fuel_image.host.files import appearing
from fuel_image.progress import step
from fuel_image.tree import ahead, database, deferred
from fuel_image.tree.chroot import Chroot, visible
from fuel_image.tree.installed import Installed, installed
from fuel_image.tree.root import Tree

LOG = logging.getLogger(__name__)

_HOME = "/run/apt"
_STATUS = f"{_HOME}/status"
_REMOVED = re.compile(r"^The following packages will be REMOVED:\n((?: .*\n)+)", re.MULTILINE)
_URI = re.compile(r"'http://repository-([0-9]{1,9})\.invalid/[^']*' (\S+) [0-9]+")
_CONFIGURATION = """\
Dir::Etc::sourcelist "{home}/sources.list";
Dir::Etc::sourceparts "{home}/none";
Dir::Etc::preferences "{home}/preferences";
Dir::State::lists "{home}/lists";
Dir::Cache "{home}/cache";
Dir::Cache::archives "{home}/archives";
APT::Architecture "{arch}";
APT::Architectures {{ "{arch}"; }};
APT::Install-Recommends "false";
APT::Install-Suggests "false";
APT::Get::Assume-Yes "true";
APT::Get::Always-Include-Phased-Updates "true";
APT::Get::AllowUnauthenticated "true";
APT::Get::allow-downgrades "true";
APT::Get::allow-remove-essential "false";
APT::Sandbox::User "root";
APT::Color "false";
Acquire::Languages "none";
Dpkg::Use-Pty "false";
DPkg::Path "{path}";
DPkg::Options {{ "--force-unsafe-io"; "--force-confold"; "--force-confdef"; }};
"""
ENVIRONMENT = {"APT_CONFIG": f"{_HOME}/apt.conf"}


def _configure(chroot: Chroot, repositories: Repositories, only: Sequence[Package] | None = None) -> None:
    """Tell the tree's apt about the repositories and give it their indices. ``ENVIRONMENT`` makes it look there.

    With *only* the indices hold these packages and no other, which apt reads in a moment.
    """
    tree = chroot.tree
    for name in ("none", "lists/partial", "cache", "archives/partial"):
        tree.mkdir(f"{_HOME}/{name}")
    configuration = _CONFIGURATION.format(home=_HOME, arch=repositories.arch, path=deferred.DPKG_PATH)
    tree.write(f"{_HOME}/apt.conf", configuration)
    tree.write(f"{_HOME}/sources.list", "".join(_source_line(one) for one in repositories))
    tree.write(f"{_HOME}/preferences", "\n".join(_pin(one) for one in repositories))
    for repository in repositories:
        _place_lists(repository, tree, only)


def _host(repository: OpenRepository) -> str:
    return f"repository-{repository.place}.invalid"


def _source_line(repository: OpenRepository) -> str:
    """Return the line of sources.list(5); *trusted*, because we verified what we placed in the lists."""
    request = repository.request
    components = " ".join(request.components)
    return f"deb [trusted=yes] http://{_host(repository)}/ {request.suite} {components}".rstrip() + "\n"


def _pin(repository: OpenRepository) -> str:
    """Return the stanza of apt_preferences(5); without a priority in the request, what apt would use by itself."""
    return f'Package: *\nPin: origin "{_host(repository)}"\nPin-Priority: {repository.priority}\n'


def _place_lists(repository: OpenRepository, tree: Tree, only: Sequence[Package] | None) -> None:
    """Write the indices under the names that apt gives them (URItoFileName in apt-pkg)."""
    request = repository.request
    suite = f"dists/{request.suite}/" if request.components else request.suite.lstrip("/")
    prefix = f"{_host(repository)}/{suite}"
    if repository.release is not None:
        _write_list(tree, f"{prefix}Release", repository.release.text.encode())
    for index in repository.indices:
        content = index.content if only is None else b"\n".join(index.stanzas(only))
        _write_list(tree, f"{prefix}{index.label}Packages", content)


def _write_list(tree: Tree, uri: str, content: bytes) -> None:
    name = uri.replace("_", "%5f").replace("/", "_")
    with tree.writing(f"{_HOME}/lists/{name}") as file:
        file.write(content)
        file.flush()
        os.utime(file.fileno(), (1, 1))  # by size and time apt tells whether it knows an index


def name_problems(repositories: Repositories, packages: Sequence[str], path: str) -> Iterator[Problem]:
    """Find every package which no repository holds, with the closest name that one does."""
    for position, spec in enumerate(packages):
        name = re.split("[:=/]", spec)[0]
        held = any(
            next(index.named(name), None) or next(index.providing(name), None) for index in repositories.indices()
        )
        if not held:
            known = {other for index in repositories.indices() for other in index.names()}
            close = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean {close[0]}?" if close else ""
            yield Problem(f"{path}[{position}]", f"no repository holds {name}{hint}")


def choose(
    chroot: Chroot,
    repositories: Repositories,
    packages: Sequence[str],
    *,
    digested: Path | None = None,
    installed: Sequence[Package] | None = None,
    only: Sequence[Package] | None = None,
) -> Choice:
    """Have apt say which packages it would fetch to install *packages* and what they need, and which it would remove.

    *digested* is where what apt makes of the indices is kept for the next time. With *installed* it takes these for
    installed, and not what dpkg says, which may be at it; with *only* it has no others to choose from. Raises
    CommandError with apt's own words when the packages cannot be installed together.
    """
    _configure(chroot, repositories, only)
    with _kept(chroot, digested):
        return _choose(chroot, repositories, packages, installed)


@contextmanager
def _kept(chroot: Chroot, digested: Path | None) -> Iterator[None]:
    """Give apt what it made of the same indices before, which it checks; keep what it makes of them now."""
    own = f"{_HOME}/cache/srcpkgcache.bin"
    known = digested is not None and digested.exists()
    if digested is not None and known:
        with digested.open("rb") as kept, chroot.tree.writing(own) as file:
            shutil.copyfileobj(kept, file)
    yield
    if digested is not None and not known and chroot.tree.is_file(own):
        with chroot.tree.reading(own) as made, appearing(digested) as file:
            shutil.copyfileobj(made, file)


def _choose(
    chroot: Chroot, repositories: Repositories, packages: Sequence[str], installed: Sequence[Package] | None
) -> Choice:
    options: list[str] = []
    if installed is not None:
        with chroot.tree.writing(_STATUS) as status:
            status.write(b"\n".join(b"Status: install ok installed\n" + one for one in repositories.stanzas(installed)))
        options = ["-o", f"Dir::State::status={_STATUS}"]
    advice = "the packages cannot be installed together from these repositories; apt's reasons are above"
    argv = ("apt-get", *options, "--print-uris", "install", "--", *packages)
    printed = chroot.run(*argv, doing="choosing packages", want_output=True, advice=advice).text
    matches = (_URI.match(line) for line in printed.split("\n"))
    chosen = tuple(_named_by_apt(repositories, int(match[1]), match[2]) for match in matches if match)
    removed = _REMOVED.search(printed)
    return Choice(chosen, tuple(word.rstrip("*") for word in removed[1].split()) if removed else ())


def install(
    chroot: Chroot, repositories: Repositories, packages: Sequence[str], choice: Choice, pool: Pool
) -> tuple[Installed, ...]:
    """Install *packages* and what they need from the chosen files, which the pool holds; return what is installed then.

    What can be unpacked ahead is; apt then sees to the rest, in the order that it needs, and has dpkg configure all.
    Where packages must go first, nothing is unpacked ahead: dpkg takes no conflicts with what it has not removed.
    """
    chosen = choice.packages
    _configure(chroot, repositories, chosen)
    for package in chosen:
        chroot.tree.symlink(f"{_HOME}/archives/{package.archive_name}", visible(package, pool))
    marks = database.automatic(chroot.tree)
    left: Sequence[Package] = chosen
    if not choice.removed and not database.filters(chroot.tree):
        with step(f"Unpacking {len(chosen)} packages"):
            done = ahead.unpack(chroot.tree, [pool.path(package.sha256) for package in chosen])
            database.add(chroot.tree, [one for one in done if not one.left])
            left = [package for package, one in zip(chosen, done) if one.left]
    with step(f"Installing {len(chosen)} packages", total_items=len(chosen)) as installing:
        # To apt the tree looks like one in which an installation broke off: it wants to be told the way out.
        deferred.set_up(chroot, frozenset(package.name for package in chosen)).run(
            *("apt-get", "--no-download", "install", "--", *packages),
            *(f"{package.name}={package.version}" for package in left),
            doing="installing packages",
            packages=len(chosen),
            advice="the lines above are the packages' own; the log file has all of them",
            on_line=lambda line: installing.advance_items(line.startswith("Setting up ")),
        )
        deferred.run(chroot)
    asked = _asked(packages, chosen)
    came_along = sorted(package.name for package in chosen if package.name not in asked)
    database.mark_automatic(chroot.tree, marks, came_along, repositories.arch)
    return _all_there(chroot, chosen)


def remove(chroot: Chroot, repositories: Repositories, packages: Sequence[str], wanted: Sequence[str]) -> None:
    """Remove packages, their configuration and what needs them; those that are not installed are passed over.

    Raises BuildError when one that is *wanted* would go.
    """
    there = {one.name for one in installed(chroot)} if packages else set()
    for absent in [name for name in packages if name.partition(":")[0] not in there]:
        LOG.info("removing packages: %s is not installed", absent)
    names = [name for name in packages if name.partition(":")[0] in there]
    if not names:
        return
    _configure(chroot, repositories, only=())
    with step(f"Removing {len(names)} packages"):
        chroot.run("apt-get", "purge", "--", *names, doing="removing packages", packages=len(there))
    more = there - {one.name for one in installed(chroot)} - {name.partition(":")[0] for name in names}
    if lost := sorted(more & {re.split("[:=/]", spec)[0] for spec in wanted}):
        raise BuildError(f"removing packages: {', '.join(lost)}, which is wanted, needs one of {', '.join(names)}")
    if more:
        LOG.warning("removed with those that they need: %s", ", ".join(sorted(more)))


def _all_there(chroot: Chroot, chosen: Sequence[Package]) -> tuple[Installed, ...]:
    """Return what is installed; raise BuildError unless everything that was chosen is."""
    there = installed(chroot)
    known = {(one.name, one.version) for one in there}
    lacking = [f"{one.name} {one.version}" for one in chosen if (one.name, one.version) not in known]
    if lacking:
        raise BuildError(f"installing packages: apt ended well, but these are not installed: {', '.join(lacking)}")
    return there


def _asked(packages: Sequence[str], chosen: Sequence[Package]) -> set[str]:
    """Return the names of the packages that were asked for; a name that none has is one that some provide."""
    asked = {re.split("[:=/]", spec)[0] for spec in packages}
    virtual = asked - {package.name for package in chosen}
    providers = {package.name for package in chosen if any(one.name in virtual for one in package.provides)}
    return asked | providers


def _named_by_apt(repositories: Repositories, place: int, archive_name: str) -> Package:
    if place >= len(repositories):
        raise BuildError(f"choosing packages: apt wants {archive_name} from a repository that it was not told of")
    repository: OpenRepository = repositories[place]
    name = archive_name.partition("_")[0]
    for index in repository.indices:
        for package in index.named(name):
            if package.archive_name == archive_name:
                return package
    raise BuildError(f"choosing packages: apt wants {archive_name}, which {repository.request.name} does not list")


def available(repositories: Repositories, wishes: Sequence[str]) -> tuple[Package, ...]:
    """Choose from a default set what the repositories hold: of ``a|b`` the first, of what nobody holds nothing."""
    offered = ([repositories.candidate(name) for name in wish.split("|")] for wish in wishes)
    found = (next((one for one in candidates if one is not None), None) for candidates in offered)
    return tuple(one for one in found if one is not None)
