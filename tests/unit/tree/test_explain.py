"""Why a layer is not kept."""

from __future__ import annotations

from fuel_image.tree.explain import reason

OLD = {
    "name": "The packages",
    "below": "b",
    "inputs": {"packages": ["curl 1 amd64 aa", "acl 2 amd64 bb"], "arch": "amd64"},
}


def test_the_first_of_its_kind() -> None:
    assert reason(OLD["inputs"], "b", []) == "no build has made one yet"  # type: ignore[arg-type]


def test_packages_that_come_go_and_change() -> None:
    inputs = {"packages": ["curl 3 amd64 cc", "tree 4 amd64 dd"], "arch": "amd64"}
    assert (
        reason(inputs, "b", [OLD]) == "packages: acl 2 is gone; packages: curl 3 instead of 1; packages: tree 4 is new"
    )


def test_other_inputs_and_another_layer_below() -> None:
    inputs = {"packages": ["acl 2 amd64 bb", "curl 1 amd64 aa"], "arch": "arm64"}
    assert reason(inputs, "c", [OLD]) == (
        "arch is arm64, not amd64; packages: in another order; the layer below it is another"
    )


def test_the_kept_layer_that_is_most_alike_counts() -> None:
    unlike = {**OLD, "inputs": {"packages": ["vim 1 amd64 ee"], "arch": "s390x"}}
    inputs = {"packages": ["curl 1 amd64 aa"], "arch": "amd64"}
    assert reason(inputs, "b", [unlike, OLD]) == "packages: acl 2 is gone"


def test_the_same_inputs_are_of_another_format() -> None:
    assert reason(OLD["inputs"], "b", [OLD]) == "the format of layers has changed"  # type: ignore[arg-type]


def test_a_long_list_is_cut() -> None:
    inputs = {"packages": [f"p{number} 1 amd64 aa" for number in range(9)], "arch": "amd64"}
    assert reason(inputs, "b", [OLD]).endswith("; and 6 more")
