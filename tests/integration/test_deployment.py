"""What a deployment relies on around a build: its log, its directory of images, and several builds at once."""

from __future__ import annotations

import concurrent.futures
import re
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

from fuel_image.milestones import Milestone

from .conftest import Fuel, Request, metadata_of, sample
from .images import ImageSet, output_of

ASTUTE = (
    "--- Building image (do_build_image) ---",
    "*** Shipping image content ***",
    "Running deboostrap completed",
    "Running apt-get install completed",
    "--- Building image END (do_build_image) ---",
    "All necessary images are available.",
)
"""What the pattern 'provisioning-image-building' of Astute's log parser looks for, in its order."""
ASTUTE_DATE = re.compile(r"^\d{4}-\d{2}-\d{2}\s\d{2}:\d{2}:\d{2}")


def environment(number: int, output: Path) -> Request:
    """Return a request as the deployment names its files."""
    request = sample(None, output, packages=["libcap2-bin"])
    for mount, name in (("/", ""), ("/boot", "-boot")):
        uri = f"http://10.20.0.2:8080/targetimages/env_{number}_debian_12_amd64{name}.img.gz"
        request["image_data"][mount]["uri"] = uri
    return request


def milestones(log: Path) -> list[str]:
    lines = log.read_text().splitlines()
    assert all(ASTUTE_DATE.match(line) for line in lines)
    return [pattern for line in lines for pattern in ASTUTE if pattern in line]


def test_the_progress_bar_finds_its_milestones(fuel: Fuel, tmp_path: Path) -> None:
    assert [one.value for one in Milestone][:5] == list(ASTUTE[:5])
    request = environment(1, tmp_path / "output")
    fuel(request, "--log-file", str(tmp_path / "first"), "--no-cache")
    assert milestones(tmp_path / "first") == list(ASTUTE[:5])
    fuel(request, "--log-file", str(tmp_path / "kept"), "--force")
    assert milestones(tmp_path / "kept") == list(ASTUTE[:5])
    fuel(request, "--log-file", str(tmp_path / "again"))
    assert milestones(tmp_path / "again") == [ASTUTE[0], ASTUTE[5]]


def delete(request: Request) -> None:
    """Delete an environment's images as nailgun does (DeleteIBPImagesTask)."""
    names = [urlsplit(image["uri"]).path.rpartition("/")[2] for image in request["image_data"].values()]
    root = urlsplit(request["image_data"]["/"]["uri"]).path.rpartition("/")[2]
    names.append(f"{root.partition('.')[0]}.yaml")
    subprocess.run(["rm", "-f", *(Path(request["output"]) / name for name in names)], check=True)


def test_two_environments_at_once_and_their_deletion(fuel: Fuel, tmp_path: Path) -> None:
    requests = [environment(number, tmp_path / "output") for number in (1, 2)]
    with concurrent.futures.ThreadPoolExecutor() as threads:
        runs = [threads.submit(fuel, request) for request in requests]
    for run in runs:
        assert "waiting for another build" not in run.result().stderr
    for request in requests:
        images = ImageSet(metadata_of(request))
        for image in images.record["images"]:
            path = images.path.parent / image["container_name"]
            assert output_of("md5sum", path).split()[0] == image["container_md5"]
    fuel(requests[0], "--force")
    delete(requests[0])
    assert len(list((tmp_path / "output").iterdir())) == 3
    assert "already built" in fuel(requests[1]).stderr
    delete(requests[1])
    assert list((tmp_path / "output").iterdir()) == []
