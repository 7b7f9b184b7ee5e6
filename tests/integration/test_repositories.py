"""Trust and pins, with repositories made on the spot beside the host's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from . import repository
from .conftest import Fuel, Request, metadata_of, sample
from .images import ImageSet
from .servers import directory


@pytest.fixture
def signer(tmp_path: Path) -> Iterator[repository.Signer]:
    made = repository.Signer(tmp_path / "gnupg")
    yield made
    made.close()


@pytest.fixture
def mirror(tmp_path: Path) -> Path:
    (tmp_path / "mirror").mkdir()
    return tmp_path / "mirror"


def with_repo(tmp_path: Path, **repo: object) -> Request:
    request = sample(None, tmp_path / "output", packages=[])
    request["repos"].append({"name": "mine", "suite": "stable", "section": "main", **repo})
    return request


def origin_of(request: Request, name: str) -> tuple[str, str]:
    package = next(one for one in ImageSet(metadata_of(request)).record["installed"] if one["name"] == name)
    return package["version"], package["repo"]


def test_pins(fuel: Fuel, mirror: Path, tmp_path: Path) -> None:
    """A priority above 1000 downgrades, one of 1 loses, and none leaves the highest version."""
    old = repository.package(mirror, "tzdata", "1")
    new = repository.package(mirror, "netbase", "9999")
    both = [repository.package(mirror, "mine", "1"), repository.package(mirror, "mine", "2")]
    repository.release(mirror, "old", old, both[0])
    repository.release(mirror, "low", new)
    repository.release(mirror, "new", both[1])
    request = sample(None, tmp_path / "output", packages=["tzdata", "netbase", "mine"])
    for suite, priority in (("old", 1001), ("low", 1), ("new", None)):
        repo = {"name": suite, "uri": mirror.as_uri(), "suite": suite, "section": "main", "priority": priority}
        request["repos"].append(repo)
    ended = fuel(request)
    assert origin_of(request, "tzdata") == ("1", "old")
    assert origin_of(request, "netbase")[1] == request["repos"][0]["name"]
    assert origin_of(request, "mine") == ("1", "old")
    assert "accepted because it is on this machine" in ended.stderr


def test_a_signed_repository_with_its_key_in_the_request(
    fuel: Fuel, signer: repository.Signer, mirror: Path, tmp_path: Path
) -> None:
    signer.sign(repository.release(mirror, "stable", repository.package(mirror, "mine")))
    (tmp_path / "key.asc").write_text(signer.key)
    for key in (signer.key, str(tmp_path / "key.asc")):
        with directory(mirror) as url:
            request = with_repo(tmp_path, uri=url, key=key, fingerprint=signer.fingerprint)
            request["packages"] = ["mine"]
            assert "accepted because" not in fuel(request).stderr
        assert origin_of(request, "mine") == ("1", "mine")


def test_the_second_mirror_serves_when_the_first_is_dead(fuel: Fuel, mirror: Path, tmp_path: Path) -> None:
    repository.release(mirror, "stable", repository.package(mirror, "mine"))
    request = with_repo(tmp_path, uri="http://127.0.0.1:9", uris=[mirror.as_uri()])
    request["packages"] = ["mine"]
    fuel(request)
    assert origin_of(request, "mine") == ("1", "mine")


def test_packages_that_nobody_holds_are_all_named(fuel: Fuel, tmp_path: Path) -> None:
    ended = fuel(sample(None, tmp_path / "output", packages=["openssh-serve", "no-such-thing"]), expect=2)
    assert "$.packages[0]: no repository holds openssh-serve; did you mean openssh-server?" in ended.stderr
    assert "$.packages[1]: no repository holds no-such-thing" in ended.stderr


def test_packages_that_cannot_be_installed_together(fuel: Fuel, mirror: Path, tmp_path: Path) -> None:
    repository.release(mirror, "stable", repository.package(mirror, "mine", depends="nowhere-to-be-found"))
    request = with_repo(tmp_path, uri=mirror.as_uri())
    request["packages"] = ["mine"]
    ended = fuel(request, expect=1)
    assert "choosing packages: " in ended.stderr and "nowhere-to-be-found" in ended.stderr
