"""What sfdisk is told, and what of its answer is refused."""

from __future__ import annotations

import pytest

from fuel_image.errors import BuildError
from fuel_image.images import table
from fuel_image.images.layout import MIB, Layout, Placed
from fuel_image.images.table import Row

UUID = "5f1c1d6e-3b9d-4f57-9d2c-0f2f6f1f7a11"
OWN = "0d0cbb4c-6f0c-4a7e-9a55-7e2cf0ad4f01"
LAYOUT = Layout(12 * MIB, (Placed(2, MIB, MIB), Placed(1, 2 * MIB, 9 * MIB)))


def test_a_gpt_names_every_partition_by_its_own_uuid() -> None:
    assert table.script("gpt", UUID, LAYOUT, [Row(1, "root", OWN), Row(2, "bios", UUID)]) == (
        f"label: gpt\nlabel-id: {UUID}\nunit: sectors\n"
        f"1 : start=4096, size=18432, type=4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709, uuid={OWN}\n"
        f"2 : start=2048, size=2048, type=21686148-6449-6E6F-744E-656564454649, uuid={UUID}\n"
    )


def test_an_mbr_says_which_one_boots() -> None:
    assert table.script("mbr", UUID, LAYOUT, [Row(1, "root", OWN), Row(2, "swap", UUID)]) == (
        "label: dos\nlabel-id: 0x5f1c1d6e\nunit: sectors\n"
        "1 : start=4096, size=18432, type=83, bootable\n"
        "2 : start=2048, size=2048, type=82\n"
    )


def answer(**changes: object) -> dict[str, object]:
    """Return what sfdisk --json says of a gpt with one partition, with *changes* to the partition."""
    partition = {"node": "disk1", "start": 4096, "size": 18432, "type": table.TYPES["gpt"]["root"], "uuid": OWN.upper()}
    return {"label": "gpt", "id": UUID.upper(), "partitions": [{**partition, **changes}]}


def test_what_was_asked_for_is_found() -> None:
    table.compare("disk", answer(), "gpt", UUID, LAYOUT, [Row(1, "root", OWN)])


@pytest.mark.parametrize(
    "changes",
    [{"start": 4097}, {"size": 1}, {"type": table.TYPES["gpt"]["linux"]}, {"uuid": UUID}, {"node": "disk2"}],
)
def test_another_partition_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(BuildError, match="checking the partition table of disk"):
        table.compare("disk", answer(**changes), "gpt", UUID, LAYOUT, [Row(1, "root", OWN)])


def test_another_table_is_refused() -> None:
    with pytest.raises(BuildError, match="checking the partition table of disk"):
        table.compare("disk", {**answer(), "id": OWN}, "gpt", UUID, LAYOUT, [Row(1, "root", OWN)])
    with pytest.raises(BuildError, match="checking the partition table of disk"):
        table.compare("disk", {**answer(), "partitions": []}, "gpt", UUID, LAYOUT, [Row(1, "root", OWN)])
