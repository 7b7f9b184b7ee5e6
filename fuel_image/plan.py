"""The plan: every decision that the request alone determines.

Owns the turning of a Request into a Plan, which is pure, frozen and printable: nothing is read from the host or from a
repository, so ``--dry-run`` shows it at once. What depends on the repositories (the packages' versions, the packages of
the default set) is decided when they are open.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from fuel_image.errors import redact
from fuel_image.images.filesystems import FILESYSTEMS, ext_features
from fuel_image.request import ImageRequest, Request
from fuel_image.suites import Suite, default_packages, suite_named

_NAMESPACE = uuid.UUID("5f1c1d6e-3b9d-4f57-9d2c-0f2f6f1f7a11")


@dataclass(frozen=True)
class PlannedImage:
    """An image with what was decided about its file system."""

    request: ImageRequest
    uuid: str
    features: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """What will be done. *wishes* are packages, or for a default set alternatives such as ``ntp|chrony``."""

    request: Request
    suite: Suite
    images: tuple[PlannedImage, ...]
    wishes: tuple[str, ...]

    @property
    def tools(self) -> tuple[str, ...]:
        """The host programs that the build takes."""
        tools = {"gpgv", "blkid"}
        for image in self.images:
            tools.update(FILESYSTEMS[image.request.format].tools)
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
    wishes = default_packages(suite, request.arch) if request.packages is None else request.packages
    return Plan(request, suite, tuple(images), tuple(wishes))


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
    lines.append("steps")
    lines += [f"  {number}. {title}" for number, title in enumerate(_steps(plan), 1)]
    lines.append(f"output in {request.output}")
    for image in plan.images:
        asked = image.request
        features = f" ({', '.join(image.features)})" if image.features else ""
        what = f"{asked.mount} as {asked.format} in {asked.container}"
        lines.append(f"  {asked.filename}: {what}, UUID {image.uuid}{features}")
    lines.append(f"  {request.metadata_filename}: metadata, published last")
    return "\n".join(lines)


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
        *(["customise the tree, and run scripts in it"] if request.customisation.parts else []),
        f"{password} the root password; remove caches, logs, keys and the machine's identity",
        *(
            f"make the {image.request.format} of {image.request.mount}, check it, write {image.request.filename}"
            for image in plan.images
        ),
        f"publish the images, then {request.metadata_filename}",
    ]
