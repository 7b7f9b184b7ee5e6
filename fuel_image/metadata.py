"""The metadata of a published set.

Owns the YAML document that nodes read: its shape is a contract (fuel_agent.drivers.nailgun), to which we only add. It
must not hold a password or a URL's credentials.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from fuel_image import __version__
from fuel_image.archive.repositories import Repositories
from fuel_image.errors import redact
from fuel_image.images.emit import Sums
from fuel_image.plan import Plan
from fuel_image.publish import Artifact
from fuel_image.tree.installed import Installed


def document(
    plan: Plan,
    packages: Sequence[str],
    repositories: Repositories,
    installed: Sequence[Installed],
    origins: Mapping[tuple[str, str, str], str],
    artifacts: Sequence[Artifact],
    epoch: int,
) -> dict[str, Any]:
    """Return the metadata: first what the contract names, then what it lets us add.

    *origins* is the name of the repository of a package, by name, version and architecture.
    """
    request, suite = plan.request, plan.suite
    return {
        "os": {"name": suite.distribution, "major": suite.major, "minor": suite.minor},
        "packages": list(packages),
        "repos": [
            {
                "type": "deb",
                "name": one.request.name,
                "uri": redact(one.request.uris[0]),
                "suite": one.request.suite,
                "section": " ".join(one.request.components),
                "priority": one.request.priority,
                "meta": None,
                "release_sha256": one.release_sha256,
            }
            for one in repositories
        ],
        "images": [_image(one, one.raw) for one in artifacts if one.raw is not None],
        "artifacts": [_artifact(one) for one in artifacts if one.raw is None],
        "codename": request.codename,
        "arch": request.arch,
        "request_sha256": request.digest,
        "source_date_epoch": epoch,
        "fuel_image_version": __version__,
        "installed": [
            {
                "name": p.name,
                "version": p.version,
                "arch": p.architecture,
                "source": p.source,
                "repo": origins.get((p.name, p.version, p.architecture)),
            }
            for p in installed
        ],
    }


def _image(one: Artifact, raw: Sums) -> dict[str, Any]:
    """Describe a partition image, in the contract's words."""
    return {
        "raw_md5": raw.md5,
        "raw_size": raw.size_bytes,
        "raw_name": None,
        "container_name": one.filename,
        "container_md5": one.packed.md5,
        "container_size": one.packed.size_bytes,
        "container": one.container,
        "format": one.format,
        "mount": one.mount,
        "raw_sha256": raw.sha256,
        "container_sha256": one.packed.sha256,
    }


def _artifact(one: Artifact) -> dict[str, Any]:
    """Describe another file, of which the contract knows nothing."""
    facts = {
        "kind": one.kind,
        "name": one.filename,
        "format": one.format,
        "container": one.container,
        "size": one.packed.size_bytes,
        "md5": one.packed.md5,
        "sha256": one.packed.sha256,
    }
    return facts if one.virtual_size_bytes is None else {**facts, "virtual_size": one.virtual_size_bytes}


def written(content: dict[str, Any]) -> str:
    """Return the metadata as YAML with plain scalars only."""
    return sealed(yaml.dump(content, Dumper=_DUMPER, sort_keys=False, default_flow_style=False, allow_unicode=True))


HEAD = "# Made by fuel-image; fuel-image verify looks whether it is whole.\n"
SEAL = "# SHA-256 of the above: "
"""Comments for YAML: who reads the fields sees none that the contract does not name."""
END = "\n...\n"
"""YAML's mark of a document's end."""


def sealed(text: str) -> str:
    """Return the lines of *text* between two more, by which any change to them is found: a flipped bit, a missing line.

    A file that was cut short would look whole without them, as one of another program's that says less.
    """
    return _digested(HEAD + text)


def is_sealed(text: str) -> bool:
    """Tell whether *text* is as it was when it was sealed."""
    return text == _digested(text.rpartition(SEAL)[0])


def _digested(text: str) -> str:
    return f"{text}{SEAL}{hashlib.sha256(text.encode()).hexdigest()}{END}"


_DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
"""libyaml's, where PyYAML was built with it: the list of installed packages is long."""
