"""The plan: every decision that the request alone determines.

Owns the turning of a Request into a Plan, which is pure, frozen and printable: nothing is read from the host or from a
repository, so ``--dry-run`` shows it at once. What depends on the repositories (the packages' versions, the packages of
the default set) is decided when they are open.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from fuel_image.errors import redact
from fuel_image.images.filesystems import FILESYSTEMS, ext_features
from fuel_image.images.formats import DISK_FORMATS
from fuel_image.outputs.asked import SWAP, VFAT, DiskRequest, PartitionRequest
from fuel_image.outputs.exports import EXPORTS
from fuel_image.request import ImageRequest, Request
from fuel_image.suites import Suite, default_packages, suite_named

_NAMESPACE = uuid.UUID("5f1c1d6e-3b9d-4f57-9d2c-0f2f6f1f7a11")


_PARTITION_TOOLS = {VFAT: ("mkfs.vfat", "fsck.vfat", "mmd", "mcopy"), SWAP: ("mkswap",)}


@dataclass(frozen=True)
class PlannedImage:
    """An image with what was decided about its file system."""

    request: ImageRequest
    uuid: str
    features: tuple[str, ...]


@dataclass(frozen=True)
class PlannedPartition:
    """A partition with what was decided about it.

    *uuid* is that of its file system or swap (for vfat the volume's serial number, as ``ABCD-1234``), *part_uuid* that
    of the partition. *number* is its own in the table, *features* are those of an ext file system.
    """

    request: PartitionRequest
    number: int
    uuid: str
    part_uuid: str
    features: tuple[str, ...]


@dataclass(frozen=True)
class PlannedDisk:
    """A disk with what was decided about it; *uuid* is that of its table (of an mbr the first 32 bits).

    With *bios_boot* a partition without a file system, behind the others in number and before them on the disk, holds
    what GRUB starts from: a gpt has no other room for it.
    """

    request: DiskRequest
    uuid: str
    partitions: tuple[PlannedPartition, ...]
    bios_boot: bool
    bios_boot_uuid: str

    @property
    def mounts(self) -> tuple[str, ...]:
        """The mount points of its partitions."""
        return tuple(one.request.mount for one in self.partitions if one.request.mount is not None)


@dataclass(frozen=True)
class Plan:
    """What will be done. *wishes* are packages, or for a default set alternatives such as ``ntp|chrony``."""

    request: Request
    suite: Suite
    images: tuple[PlannedImage, ...]
    disks: tuple[PlannedDisk, ...]
    wishes: tuple[str, ...]

    @property
    def tools(self) -> tuple[str, ...]:
        """The host programs that the build takes."""
        tools = {"gpgv", "blkid"}
        for image in self.images:
            tools.update(FILESYSTEMS[image.request.format].tools)
        for disk in self.disks:
            tools.update(("sfdisk", *DISK_FORMATS[disk.request.format].tools))
            for partition in disk.partitions:
                tools.update(
                    _PARTITION_TOOLS.get(partition.request.format) or FILESYSTEMS[partition.request.format].tools
                )
        for export in self.request.exports:
            tools.update(EXPORTS[export.kind].tools)
        if self.request.signing_key is not None:
            tools.update(("gpg", "gpgconf"))
        return tuple(sorted(tools))


def make(request: Request, origin: str | None = None, version: str | None = None) -> Plan:
    """Take every decision that the request determines.

    *origin* and *version*, from the base repository's Release, say what a release is whose code name is not known.
    """
    suite = suite_named(request.codename, origin, version)
    images = []
    for image in request.images:
        # The same request gives the same UUIDs; two mount points never share one.
        identity = uuid.uuid5(_NAMESPACE, f"{request.codename} {image.filename} {image.mount}")
        features = ext_features(image.format, suite.linux) if FILESYSTEMS[image.format].populated else ()
        images.append(PlannedImage(image, str(identity), features))
    disks = [_planned_disk(disk, suite, f"{request.codename} {disk.filename}") for disk in request.disks]
    wishes = default_packages(suite, request.arch) if request.packages is None else request.packages
    wishes = tuple(dict.fromkeys((*request.chosen.packages, *wishes)))
    return Plan(request, suite, tuple(images), tuple(disks), tuple(wishes))


def _planned_disk(disk: DiskRequest, suite: Suite, identity: str) -> PlannedDisk:
    uuid_of = partial(uuid.uuid5, _NAMESPACE)
    partitions = []
    for number, one in enumerate(disk.partitions, 1):
        own = str(uuid_of(f"{identity} file system {number}"))
        serial = f"{own[:4]}-{own[4:8]}".upper()
        populated = one.format in FILESYSTEMS and FILESYSTEMS[one.format].populated
        features = ext_features(one.format, suite.linux) if populated else ()
        part_uuid = str(uuid_of(f"{identity} partition {number}"))
        partitions.append(PlannedPartition(one, number, serial if one.format == VFAT else own, part_uuid, features))
    table, bios = (str(uuid_of(f"{identity} {what}")) for what in ("table", "BIOS boot partition"))
    return PlannedDisk(disk, table, tuple(partitions), disk.table == "gpt" and "bios" in disk.boot, bios)


def described(plan: Plan) -> str:
    """Return the plan for people."""
    request = plan.request
    lines = [f"{plan.suite.distribution} {request.codename} for {request.arch}"]
    lines.append("repositories")
    for place, one in enumerate(request.repositories):
        what = " ".join(one.components) or "flat"
        pin = "no pin" if one.priority is None else f"pin {one.priority}"
        trust = "trusted" if one.trusted else "own key" if one.key else "shipped keys"
        base = ", base" if place == 0 else ""
        lines.append(f"  {one.name}: {redact(' '.join(one.uris))} {one.suite} ({what}; {pin}; {trust}{base})")
    kind = "default set for bare metal" if request.packages is None else "as requested"
    lines.append(f"packages ({kind})")
    lines += _wrapped(plan.wishes)
    if parts := request.customisation.names:
        lines += ["customisation", *(f"  {part}" for part in parts)]
    if request.chosen.elements:
        lines.append("elements")
        lines += _wrapped([one.name for one in request.chosen.elements])
    lines.append("steps")
    lines += [f"  {number}. {title}" for number, title in enumerate(_steps(plan), 1)]
    lines.append(f"output in {request.output}")
    for image in plan.images:
        asked = image.request
        features = f" ({', '.join(image.features)})" if image.features else ""
        what = f"{asked.mount} as {asked.format} in {asked.container}"
        lines.append(f"  {asked.filename}: {what}, UUID {image.uuid}{features}")
    for disk in plan.disks:
        lines += _described_disk(disk)
    lines += [f"  {one.filename}: {one.kind} in {one.container}" for one in request.exports]
    if request.checksums:
        signed = "" if request.signing_key is None else f", signed with {request.signing_key}"
        lines.append(f"  SHA256SUMS, and a .sha256 file for each{signed}")
    lines.append(f"  {request.metadata_filename}: metadata, published last")
    return "\n".join(lines)


def _described_disk(disk: PlannedDisk) -> list[str]:
    asked = disk.request
    size = "as large as needed" if asked.size_bytes is None else f"{asked.size_bytes >> 20:,} MiB"
    what = f"{asked.format} in {asked.container}, {size}, {asked.table}, boots with {' and '.join(asked.boot)}"
    lines = [f"  {asked.filename}: disk, {what}"]
    for one in disk.partitions:
        part = one.request
        content = "the rest" if part.rest else "as its content"
        room = content if part.size_bytes is None else f"{part.size_bytes >> 20:,} MiB"
        grows = ", grows" if part.grow else ""
        lines.append(
            f"    {one.number}. {part.mount or 'no mount point'}: {part.format}, {room}{grows}, UUID {one.uuid}"
        )
    if disk.bios_boot:
        lines.append(f"    {len(disk.partitions) + 1}. BIOS boot partition")
    return lines


def _wrapped(words: Sequence[str], width: int = 100) -> list[str]:
    lines: list[str] = []
    for word in words:
        if lines and len(lines[-1]) + len(word) < width:
            lines[-1] += f" {word}"
        else:
            lines.append(f"  {word}")
    return lines or ["  none besides the base system"]


def _steps(plan: Plan) -> list[str]:
    request = plan.request
    password: str | None = "set" if request.root_password or request.hashed_root_password else "lock"
    return [
        f"open {len(request.repositories)} repositories: fetch and verify Release files and indices",
        "choose and fetch the base system, unpack it, install it with its own dpkg",
        f"let its own apt choose {len(plan.wishes)} packages and what they need; fetch them; install them off-line",
        *(["run the hooks of the elements, phase by phase"] if request.chosen.elements else []),
        *(["customise the tree, and run scripts in it"] if request.customisation.parts else []),
        f"{password} the root password; remove caches, logs, keys and the machine's identity",
        *(
            f"make the {image.request.format} of {image.request.mount}, check it, write {image.request.filename}"
            for image in plan.images
        ),
        *(
            f"put GRUB for {' and '.join(disk.boot)} into the tree, make its disk, write {disk.filename}"
            for disk in request.disks
        ),
        *(f"write the {one.kind} to {one.filename}" for one in request.exports),
        f"publish the files, then {request.metadata_filename}",
    ]
