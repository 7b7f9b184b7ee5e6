"""What the packages that are asked for exclude, replace or hold back is what apt alone would make of it."""

from __future__ import annotations

from pathlib import Path

from . import repository
from .conftest import Fuel, Request, metadata_of, sample
from .images import ImageSet, installed, output_of

PREINST = "#!/bin/sh\nexit 0\n"
"""A package that has one is unpacked by dpkg and not ahead of it."""


def with_own(tmp_path: Path, uri: str, *packages: str) -> Request:
    request = sample(None, tmp_path / "output", packages=list(packages))
    request["repos"].append({"name": "own", "uri": uri, "suite": "/", "trusted": True})
    return request


def left_behind(images: ImageSet, workspace: Path) -> str:
    """Return what dpkg knows of packages that are gone but for their configuration."""
    with images.mounted("/", workspace) as tree:
        listed = output_of(
            "dpkg-query", f"--admindir={tree}/var/lib/dpkg", "-W", "-f", "${Package} ${db:Status-Status}\n"
        )
    return "\n".join(line for line in listed.splitlines() if not line.endswith(" installed"))


def test_an_alternative_that_a_later_wish_makes_needless_never_comes_in(fuel: Fuel, tmp_path: Path) -> None:
    """bsd-mailx needs default-mta | mail-transport-agent; nullmailer is one, and conflicts with the default."""
    request = sample(None, tmp_path / "output", packages=["systemd-sysv", "bsd-mailx", "nullmailer"])
    fuel(request)
    images = ImageSet(metadata_of(request))
    with images.mounted("/", tmp_path) as tree:
        names = installed(tree)
        assert "nullmailer" in names
        assert not [name for name in names if name.startswith("exim4")]
        assert "exim" not in (tree / "etc/passwd").read_text()
        assert not (tree / "etc/exim4").exists()
    assert left_behind(images, tmp_path) == ""


def test_a_wish_may_push_out_a_package_of_the_base_system(fuel: Fuel, tmp_path: Path) -> None:
    deb = repository.package(tmp_path, "no-time", fields="Conflicts: tzdata\nProvides: tzdata\n")
    request = with_own(tmp_path, repository.flat(tmp_path, deb), "no-time")
    fuel(request)
    images = ImageSet(metadata_of(request))
    with images.mounted("/", tmp_path) as tree:
        names = installed(tree)
    assert "no-time" in names
    assert "tzdata" not in names
    assert {one["name"] for one in images.record["installed"]} == set(names)


def test_a_version_that_is_named_is_the_one_that_is_installed(fuel: Fuel, tmp_path: Path) -> None:
    """Older than what the base system has, and in need of dpkg."""
    deb = repository.package(tmp_path, "tzdata", "1", preinst=PREINST)
    request = with_own(tmp_path, repository.flat(tmp_path, deb), "tzdata=1")
    fuel(request)
    with ImageSet(metadata_of(request)).mounted("/", tmp_path) as tree:
        assert installed(tree)["tzdata"] == "1"


def test_what_is_pinned_below_zero_comes_when_it_is_named(fuel: Fuel, tmp_path: Path) -> None:
    deb = repository.package(tmp_path, "held-back", "2", preinst=PREINST)
    request = with_own(tmp_path, repository.flat(tmp_path, deb), "held-back=2")
    request["repos"][-1]["priority"] = -5
    fuel(request)
    with ImageSet(metadata_of(request)).mounted("/", tmp_path) as tree:
        assert installed(tree)["held-back"] == "2"
