"""Compared with dpkg and apt. Every package of two real releases, with their updates."""

from __future__ import annotations

import dataclasses
import json
import random
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuel_image import request as requests
from fuel_image.archive import opening, release, trust
from fuel_image.archive.fetch import Fetcher
from fuel_image.archive.pool import Pool
from fuel_image.archive.repositories import OpenRepository, Repositories
from fuel_image.archive.seen import Seen
from fuel_image.archive.trust import Inquiry
from fuel_image.archive.version import sort_key
from fuel_image.progress import step
from tests.integration.conftest import sample

from .conftest import Tried
from .examples import EXAMPLES, many

pytestmark = pytest.mark.examples

SUITES = (None, "noble")
"""The host's own release, and Ubuntu's."""
LONGEST_SECONDS = 600
_AT_ONCE = 5000
_COMPARE = r"""
use Dpkg::Version;
$| = 1;
while (<STDIN>) { chomp; my ($one, $other) = split /\t/; print version_compare($one, $other), "\n"; }
"""
_CONFIGURATION = """\
Dir "{directory}";
Dir::State "{directory}";
Dir::State::status "{directory}/status";
Dir::State::lists "{directory}/lists";
Dir::Cache "{directory}/cache";
Dir::Etc "{directory}";
Dir::Etc::sourcelist "{directory}/sources.list";
Dir::Etc::sourceparts "-";
Dir::Etc::preferences "{directory}/preferences";
Dir::Etc::preferencesparts "-";
Dir::Etc::main "-";
Dir::Etc::parts "-";
APT::Architecture "amd64";
APT::Architectures {{ "amd64"; }};
"""


@pytest.fixture(scope="module", params=SUITES, ids=lambda suite: suite or "host")
def repositories(
    request: pytest.FixtureRequest, shared_cache_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Repositories:
    """Open the repositories of a release: itself, its updates, and what mends its security."""
    asked = requests.parse(json.dumps(sample(request.param, tmp_path_factory.mktemp("unused"), arch="amd64")))
    fetcher = Fetcher(Pool(shared_cache_dir / "pool"))
    work = tmp_path_factory.mktemp("work")
    with step("Opening") as opening_, fetcher.pool.used():
        inquiry = Inquiry(fetcher, work, Seen(work / "seen"))
        answers = trust.ask_all(asked.repositories, inquiry)
        opened = opening.open_all(answers, asked.arch, inquiry, opening_)
        for index in opened.indices():
            assert index.content  # while nobody may take it away
    return opened


def names_in(repositories: Repositories) -> list[str]:
    return sorted({name for index in repositories.indices() for name in index.names()})


def compared_by_dpkg(pairs: Sequence[tuple[str, str]]) -> list[int]:
    """Compare versions with dpkg's own module."""
    text = "".join(f"{one}\t{other}\n" for one, other in pairs)
    ended = subprocess.run(
        ["perl", "-e", _COMPARE], check=True, input=text, stdout=subprocess.PIPE, text=True, timeout=LONGEST_SECONDS
    )
    return [int(line) for line in ended.stdout.splitlines()]


def compared_by_us(one: str, other: str) -> int:
    return (sort_key(one) > sort_key(other)) - (sort_key(one) < sort_key(other))


def test_versions(repositories: Repositories, tried: Tried) -> None:
    """The versions of all packages have the order that dpkg gives them."""
    versions = sorted({one.version for name in names_in(repositories) for one in repositories.named(name)})
    shuffled = random.Random(len(versions)).sample(versions, len(versions))
    ordered = sorted(shuffled, key=sort_key)
    # Where all neighbours of one order are right, all pairs are.
    pairs = [*zip(ordered, ordered[1:]), *zip(shuffled, shuffled[1:])]
    wrong = [pair for pair, found in zip(pairs, compared_by_dpkg(pairs)) if compared_by_us(*pair) != found]
    assert wrong == []
    assert len(versions) > 10_000
    tried(len(pairs))


def told_by_dpkg(one: str, other: str, order: int) -> bool:
    argv = ["dpkg", "--compare-versions", one, {-1: "lt", 0: "eq", 1: "gt"}[order], other]
    return subprocess.run(argv, check=False).returncode == 0


def test_versions_one_by_one(repositories: Repositories, tried: Tried) -> None:
    """dpkg --compare-versions gives neighbours in our order of versions the same order."""
    versions = sorted(
        {one.version for name in names_in(repositories) for one in repositories.named(name)}, key=sort_key
    )
    pairs = list(zip(versions, versions[1:]))[::100]
    for one, other in pairs:
        assert told_by_dpkg(one, other, compared_by_us(one, other)), (one, other)
    tried(len(pairs))


_PART = st.lists(
    st.sampled_from(("0", "1", "9", "10", "00", "~", "+", ".", "a", "Z", "rc", "99999999999999999999")), max_size=6
)
VERSIONS = st.builds(
    lambda epoch, upstream, revision: f"{epoch}{''.join(upstream)}{revision}",
    st.sampled_from(("", "", "0:", "1:", "10:")),
    _PART.map(lambda parts: ["0" if parts[:1] in (["~"], ["0"]) else "1", *parts]),
    st.one_of(st.just(""), _PART.map(lambda parts: f"-{''.join(parts)}0")),
)


def test_versions_made_up(tried: Tried) -> None:
    """Versions that nobody has used have the order that dpkg gives them."""
    with subprocess.Popen(["perl", "-e", _COMPARE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as dpkg:
        assert dpkg.stdin is not None and dpkg.stdout is not None
        ask, answer = dpkg.stdin, dpkg.stdout

        @many
        @given(VERSIONS, VERSIONS)
        def every(one: str, other: str) -> None:
            ask.write(f"{one}\t{other}\n")
            ask.flush()
            ours, theirs = compared_by_us(one, other), int(answer.readline())
            # Perl's numbers have sixteen digits; dpkg itself has as many as there are, and takes longer to be asked
            assert ours == theirs or told_by_dpkg(one, other, ours)

        every()
    tried(EXAMPLES)


NOT_AUTOMATIC = "NotAutomatic: yes\n"
UPGRADES = "NotAutomatic: yes\nButAutomaticUpgrades: yes\n"
PINS: Mapping[str, tuple[Sequence[int | None], Sequence[str]]] = {
    "none": ((None, None, None), ("", "", "")),
    "one above all": ((500, 1001, 990), ("", "", "")),
    "the release above its updates": ((990, 500, 100), ("", "", "")),
    "updates that are never installed": ((None, -1, -32767), ("", "", "")),
    "nothing that is ever installed": ((-1, -1, -1), ("", "", "")),
    "equal ones": ((700, 700, 1), ("", "", "")),
    "updates that are not automatic": ((None, None, None), ("", NOT_AUTOMATIC, UPGRADES)),
    "a release that is not automatic": ((None, None, 100), (NOT_AUTOMATIC, UPGRADES, "")),
}
"""The pins of a release, its updates and its security, and what their Release files say besides."""
QUICK = ("none", "one above all", "updates that are not automatic")


def pinned(repositories: Repositories, pins: Sequence[int | None], fields: Sequence[str]) -> Repositories:
    """Return the repositories with other pins and with more fields in their Release files."""
    opened = []
    for one, pin, more in zip(repositories, pins, fields):
        assert one.release is not None
        said = release.parse(more + one.release.text, one.request.name)
        asked = dataclasses.replace(one.request, priority=pin)
        opened.append(OpenRepository(asked, one.place, said, one.indices))
    return Repositories(opened, repositories.arch)


def chosen_by_apt(repositories: Repositories, names: Sequence[str], directory: Path) -> dict[str, str]:
    """Return apt's candidate of each name that has one, in an empty system with the same indices and pins."""
    for name in ("lists/partial", "cache/archives/partial"):
        (directory / name).mkdir(parents=True)
    sources, preferences = [], []
    for one in repositories:
        asked, host = one.request, f"repository-{one.place}.invalid"
        sources.append(f"deb [trusted=yes] http://{host}/ {asked.suite} {' '.join(asked.components)}\n")
        if asked.priority is not None:
            preferences.append(f'Package: *\nPin: origin "{host}"\nPin-Priority: {asked.priority}\n')
        assert one.release is not None
        begin = f"{host}_dists_{asked.suite}_"
        (directory / f"lists/{begin}Release").write_text(one.release.text)
        for index in one.indices:
            (directory / f"lists/{begin}{index.label.replace('/', '_')}Packages").write_bytes(index.content)
    (directory / "sources.list").write_text("".join(sources))
    (directory / "preferences").write_text("\n".join(preferences))
    (directory / "status").touch()
    (directory / "apt.conf").write_text(_CONFIGURATION.format(directory=directory))
    return dict(_candidates(names, {"APT_CONFIG": str(directory / "apt.conf"), "LC_ALL": "C", "PATH": "/usr/bin:/bin"}))


def _candidates(names: Sequence[str], environment: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for first in range(0, len(names), _AT_ONCE):
        argv = ["apt-cache", "policy", "--", *names[first : first + _AT_ONCE]]
        ended = subprocess.run(
            argv, check=True, stdout=subprocess.PIPE, env=environment, text=True, timeout=LONGEST_SECONDS
        )
        for name, version in re.findall(r"^(\S+):\n  Installed: .*\n  Candidate: (\S+)$", ended.stdout, re.MULTILINE):
            if version != "(none)":
                yield name, version


@pytest.mark.parametrize(
    "pins", [pytest.param(name, marks=() if name in QUICK else pytest.mark.thorough) for name in PINS]
)
def test_candidates(pins: str, repositories: Repositories, tried: Tried, tmp_path: Path) -> None:
    """Of every package that version is chosen which apt would choose, whatever the pins."""
    changed = pinned(repositories, *PINS[pins])
    names = names_in(changed)
    ours = {name: found.version for name in names if (found := changed.candidate(name)) is not None}
    assert ours == chosen_by_apt(changed, names, tmp_path / "apt")
    assert bool(ours) == (pins != "nothing that is ever installed")
    tried(len(names))
