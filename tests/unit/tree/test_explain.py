"""Why a layer is not kept."""

from __future__ import annotations

import dataclasses

from fuel_image.tree.explain import reason
from fuel_image.tree.layers import Kept

INPUTS = {"packages": ["curl 1 amd64 aa", "acl 2 amd64 bb"], "arch": "amd64"}
OLD = Kept(key="k", used=0.0, name="The packages", below="b", inputs=INPUTS, size_bytes=0)


def test_the_first_of_its_kind() -> None:
    assert reason(INPUTS, "b", []) == "no build has made one yet"


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
    unlike = dataclasses.replace(OLD, inputs={"packages": ["vim 1 amd64 ee"], "arch": "s390x"})
    inputs = {"packages": ["curl 1 amd64 aa"], "arch": "amd64"}
    assert reason(inputs, "b", [unlike, OLD]) == "packages: acl 2 is gone"


def test_the_same_inputs_are_of_another_format() -> None:
    assert reason(INPUTS, "b", [OLD]) == "the format of layers has changed"


def test_a_long_list_is_cut() -> None:
    inputs = {"packages": [f"p{number} 1 amd64 aa" for number in range(9)], "arch": "amd64"}
    assert reason(inputs, "b", [OLD]).endswith("; and 6 more")


def test_parts_that_come_go_and_change_without_their_digests() -> None:
    old = dataclasses.replace(OLD, inputs={"parts": {"files /etc/motd": "aa", "hostname": "bb", "locale": "cc"}})
    inputs = {"parts": {"files /etc/motd": "dd", "locale": "cc", "timezone": "ee"}}
    assert reason(inputs, "b", [old]) == "files /etc/motd has changed; hostname is gone; timezone is new"
