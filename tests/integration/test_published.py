"""A second run of the same request finds the set; what differs makes it anew and is named."""

from __future__ import annotations

import concurrent.futures
import functools
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.damage import flip, truncate

from . import repository
from .conftest import Fuel, Request, metadata_of, sample
from .images import ImageSet, output_of
from .servers import Handler, serving

CONTRACT = "All necessary images are available. Nothing needs to be done."
ANEW = "building anew: "
BUILT = "metadata: "


@pytest.fixture(scope="module")
def request_(tmp_path_factory: pytest.TempPathFactory) -> Request:
    return sample(None, tmp_path_factory.mktemp("published") / "output", packages=[])


@pytest.fixture
def image_set(fuel: Fuel, request_: Request) -> ImageSet:
    """The set of *request_*, whole, whatever the test before has done to it."""
    fuel(request_)
    return ImageSet(metadata_of(request_))


def state(image_set: ImageSet) -> dict[str, tuple[int, int, int]]:
    found = {path.name: path.stat() for path in image_set.path.parent.iterdir()}
    return {name: (one.st_ino, one.st_mtime_ns, one.st_ctime_ns) for name, one in found.items()}


def fits(image_set: ImageSet) -> bool:
    return all(
        output_of("sha256sum", image_set.path.parent / one["container_name"]).split()[0] == one["container_sha256"]
        for one in image_set.record["images"]
    )


def test_the_second_run_touches_nothing(fuel: Fuel, image_set: ImageSet, request_: Request, tmp_path: Path) -> None:
    before = state(image_set)
    log = tmp_path / "log"
    said = fuel(request_, "--log-file", str(log)).stderr
    assert f"already built: {image_set.path.name} is whole and its repositories have not changed" in said
    assert ANEW not in said and BUILT not in said
    assert CONTRACT in log.read_text()
    assert state(image_set) == before
    assert fuel(request_, "--quiet").stderr == ""


@pytest.mark.parametrize(
    ("change", "said"),
    [(truncate, "{name} has {less:,} bytes, not {size:,}"), (flip, "the content of {name} has changed")],
)
def test_a_damaged_image_is_made_anew(
    change: Callable[[Path], None], said: str, fuel: Fuel, image_set: ImageSet, request_: Request
) -> None:
    path = image_set.file("/")
    size_bytes = path.stat().st_size
    change(path)
    ended = fuel(request_).stderr
    assert ANEW + said.format(name=path.name, size=size_bytes, less=size_bytes - 1) in ended
    assert BUILT in ended and CONTRACT not in ended
    assert fits(ImageSet(metadata_of(request_)))


def test_another_request_and_force(fuel: Fuel, image_set: ImageSet, request_: Request) -> None:
    before = state(image_set)
    changed = fuel({**request_, "hashed_root_password": "!"}).stderr
    assert f"{ANEW}the request has changed" in changed and BUILT in changed
    between = state(image_set)
    assert all(before[name] != between[name] for name in before)
    forced = fuel({**request_, "hashed_root_password": "!"}, "--force").stderr
    assert ANEW not in forced and BUILT in forced
    assert all(between[name] != one for name, one in state(image_set).items())


def test_a_repository_that_changes_or_is_gone(fuel: Fuel, tmp_path: Path) -> None:
    """Only Release files are asked for; a mirror that is down is no reason to fail while the set is whole."""
    paths: list[str] = []

    class Noting(Handler):
        def do_GET(self) -> None:
            paths.append(self.path.rpartition("/")[2])
            super().do_GET()

    mirror = tmp_path / "mirror"
    mirror.mkdir()
    repository.release(mirror, "stable", repository.package(mirror, "mine"))
    request = sample(None, tmp_path / "output", packages=[])
    with serving(functools.partial(Noting, directory=str(mirror))) as url:
        request["repos"].append({"name": "mine", "uri": url, "suite": "stable", "section": "main"})
        first = fuel(request).stderr
        assert ANEW not in first and "Packages" in paths
        paths.clear()
        assert CONTRACT in fuel(request).stderr
        assert paths and set(paths) <= {"InRelease", "Release", "Release.gpg"}
        repository.release(mirror, "stable", fields="Label: another\n")
        assert f"{ANEW}mine has changed" in fuel(request).stderr
    said = fuel(request).stderr
    assert "warning: nobody tells whether mine has changed" in said and "Connection refused" in said
    assert CONTRACT in said and "nobody could be asked about mine" in said
    truncate(ImageSet(metadata_of(request)).file("/"))
    said = fuel(request, expect=1).stderr
    assert ANEW in said and "fetching InRelease of mine" in said and CONTRACT not in said


def test_two_at_once(fuel: Fuel, tmp_path: Path) -> None:
    request = sample(None, tmp_path / "output", packages=[])
    work = tmp_path / "work"
    with concurrent.futures.ThreadPoolExecutor() as threads:
        runs = [threads.submit(fuel, request, "--work-dir", str(work)) for _ in range(2)]
    one, other = sorted((run.result().stderr for run in runs), key=lambda said: CONTRACT in said)
    assert BUILT in one and "waiting" not in one
    assert other.count(f"waiting for another build of {metadata_of(request)}") == 1
    assert CONTRACT in other and BUILT not in other
    assert list(work.iterdir()) == []
    images = ImageSet(metadata_of(request))
    assert {path.name for path in images.path.parent.iterdir()} == {
        images.path.name,
        *(image["container_name"] for image in images.record["images"]),
    }
