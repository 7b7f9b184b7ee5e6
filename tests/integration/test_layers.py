"""Kept layers save work and never change a result."""

from __future__ import annotations

import concurrent.futures
import re
import sys
from pathlib import Path

import pytest

from .conftest import Fuel, Request, metadata_of, sample
from .images import ImageSet

KEPT = "kept from an earlier build"
PACKAGES = ["libcap2-bin"]


def digests(request: Request) -> list[str]:
    return [image["container_sha256"] for image in ImageSet(metadata_of(request)).record["images"]]


@pytest.fixture
def own_cache(cache_dir: Path, tmp_path: Path) -> Path:
    """A cache of this test's own, but for the fetched packages."""
    (tmp_path / "cache").mkdir()
    (cache_dir / "pool").mkdir(exist_ok=True)
    (tmp_path / "cache/pool").symlink_to(cache_dir / "pool")
    return tmp_path / "cache"


def test_layers_and_no_layers_give_the_same_bytes(fuel: Fuel, own_cache: Path, tmp_path: Path) -> None:
    request = sample(None, tmp_path / "output", packages=PACKAGES)
    cache = ("--force", "--cache-dir", str(own_cache))
    assert KEPT not in fuel(request, *cache).stderr
    first = digests(request)
    assert fuel(request, *cache).stderr.count(KEPT) == 2
    assert digests(request) == first
    assert KEPT not in fuel(request, "--no-cache", *cache).stderr
    assert digests(request) == first
    # Another choice of packages on the same base: one layer serves.
    other = {**request, "packages": ["acl"]}
    assert fuel(other, *cache).stderr.count(KEPT) == 1
    # What is set after the packages is in no layer.
    locked, known = dict(request), {**request, "root_password": "a"}
    assert fuel(known, *cache).stderr.count(KEPT) == 2
    assert digests(known) != first
    fuel(locked, *cache)
    assert digests(locked) == first


def test_a_damaged_layer_is_made_anew(fuel: Fuel, own_cache: Path, tmp_path: Path) -> None:
    request = sample(None, tmp_path / "output", packages=PACKAGES)
    cache = ("--force", "--cache-dir", str(own_cache))
    fuel(request, *cache)
    first = digests(request)
    next(own_cache.glob("layers/*/upper/usr/share/doc/libcap2-bin")).rename(tmp_path / "gone")
    said = fuel(request, *cache).stderr
    assert "the kept layer was damaged; it is made anew" in said and said.count(KEPT) == 1
    assert digests(request) == first
    for record in own_cache.glob("layers/*/record.json"):
        record.write_text("{")
    for choice in own_cache.glob("choices/*.json"):
        choice.write_text("[{}]")
    said = fuel(request, *cache).stderr
    assert (
        said.count("the kept layer was damaged") == 2 and said.count("a remembered choice of packages was damaged") == 4
    )
    assert digests(request) == first


def test_two_builds_at_once_share_the_work(fuel: Fuel, own_cache: Path, tmp_path: Path) -> None:
    requests = [sample(None, tmp_path / f"output-{number}", packages=PACKAGES) for number in range(2)]
    with concurrent.futures.ThreadPoolExecutor() as threads:
        ended = list(threads.map(lambda request: fuel(request, "--cache-dir", str(own_cache)), requests))
    assert sum(one.stderr.count(KEPT) for one in ended) == 2
    assert digests(requests[0]) == digests(requests[1])


def test_another_small_package_at_the_end_leaves_the_others_kept(fuel: Fuel, own_cache: Path, tmp_path: Path) -> None:
    """One that is larger than 2 MiB comes before, or there would be no others."""
    request = sample(None, tmp_path / "output", packages=["iso-codes", "acl"])
    more = {**request, "packages": [*request["packages"], "tree"]}
    cache = ("--cache-dir", str(own_cache))
    small = "The small packages at the end: "
    fuel(request, *cache)
    kept, would_be = ["The base system: kept", "The packages: kept"], f"{small}would be made: "
    assert explained(fuel, request, own_cache) == [*kept, f"{small}kept"]
    *others, last = explained(fuel, more, own_cache)
    assert others == kept and re.fullmatch(rf"{would_be}packages: tree \S+ is new; wishes: tree is new", last)
    said = fuel(more, *cache).stderr.splitlines()
    assert [line for line in said if KEPT in line] == [f"{line} from an earlier build" for line in kept]
    names = {package["name"] for package in ImageSet(metadata_of(more)).record["installed"]}
    assert names > {"iso-codes", "acl", "tree"}


def explained(fuel: Fuel, request: Request, cache_dir: Path) -> list[str]:
    explain = (sys.executable, "-m", "fuel_image", "cache", "explain")
    return fuel(request, "--cache-dir", str(cache_dir), program=explain).stdout.splitlines()


def test_explain_says_which_layers_are_kept_and_why_not_the_others(fuel: Fuel, own_cache: Path, tmp_path: Path) -> None:
    request = sample(None, tmp_path / "output", packages=PACKAGES)
    assert explained(fuel, request, own_cache) == ["The base system: would be made: no build has made one yet"]
    fuel(request, "--cache-dir", str(own_cache))
    assert explained(fuel, request, own_cache) == ["The base system: kept", "The packages: kept"]
    base, packages = explained(fuel, {**request, "packages": [*PACKAGES, "acl"]}, own_cache)
    assert base == "The base system: kept"
    assert re.fullmatch(r"The packages: would be made: packages: acl \S+ is new; wishes: acl is new", packages)
    assert not list(own_cache.glob("layers/*.new"))
