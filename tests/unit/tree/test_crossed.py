"""Finding where packages cross; what is then done is tried with real packages."""

from __future__ import annotations

from typing import Any

import pytest

from fuel_image.tree import crossed
from fuel_image.tree.unpack import Unpacked


def package(**facts: Any) -> Unpacked:
    facts["directories"] = dict.fromkeys(facts.get("directories", ()), (0o755, 0, 0, 0))
    return Unpacked("", **facts)


LINK = package(links=["/a", "/link"], written=["/link"])
LINK_PASSED_OVER = package(links=["/link"], left=True)
DIRECTORY = package(directories=["/link", "/b"], made=["/link"])
DIRECTORY_BEHIND = package(directories=["/link", "/link/sub"], made=["/link/sub"])


@pytest.mark.parametrize(
    ("packages", "paths"),
    [
        ([], ()),
        ([LINK, LINK_PASSED_OVER], ()),
        ([DIRECTORY, DIRECTORY_BEHIND], ()),
        ([LINK, DIRECTORY_BEHIND], ("/link",)),
        ([DIRECTORY, LINK_PASSED_OVER], ("/link",)),
        # The link or the directory was there before, or the link is there no more.
        ([LINK_PASSED_OVER, DIRECTORY_BEHIND], ()),
    ],
)
def test_paths(packages: list[Unpacked], paths: tuple[str, ...]) -> None:
    assert crossed.paths(packages) == paths


@pytest.mark.parametrize(
    ("one", "concerned"),
    [
        (package(paths=["/", "/link"]), True),
        (package(paths=["/link/sub/file"]), True),
        (package(links=["/link"]), True),
        (package(paths=["/", "/linked", "/sub/link"]), False),
        (package(), False),
    ],
)
def test_what_has_to_do_with_crossed_paths(one: Unpacked, concerned: bool) -> None:
    assert crossed.concern(one, ("/a", "/link")) is concerned
