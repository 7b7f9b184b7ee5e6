"""A working request for this host.

Owns the learning of a mirror from the host's own configuration: the host's apt sources for its own distribution, the
default mirror in debootstrap's scripts or python-apt's templates for another. It must not reach the network.
"""

from __future__ import annotations

import json
import logging
import platform
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fuel_image.errors import Problem, RequestError
from fuel_image.suites import ARCHITECTURES, SUITES

LOG = logging.getLogger(__name__)

_SCHEMES = ("http://", "https://", "file:")
_NOWHERE = "http://mirror.example.org/{}"
_POCKETS = {"Ubuntu": ("", "-updates", "-security"), "Debian": ("", "-updates", "-security")}
_COMPONENTS = {"Ubuntu": "main restricted universe multiverse", "Debian": "main"}
_UNSTABLE = ("sid", "forky")
"""Debian's suites without pockets."""
_ONE_LINE = re.compile(r"deb\s+(?:\[[^\]]*\]\s+)?(\S+)\s+(\S+)\s+(.+)")


@dataclass(frozen=True)
class _Source:
    uri: str
    suite: str
    components: tuple[str, ...]


def sample(suite: str | None, output: str, root: Path = Path("/")) -> str:
    """Return a request as JSON text; *suite* None means the release that the host's apt is configured with.

    Raises RequestError when the suite is not known.
    """
    sources = [one for one in _apt_sources(root) if "main" in one.components and one.uri.startswith(_SCHEMES)]
    if suite is None:
        suite = _host_suite(sources)
        if suite is None:
            raise RequestError([Problem("--suite", "this host's apt has no release that is known here; name one")])
    if suite not in SUITES:
        raise RequestError([Problem("--suite", f"{suite} is not one of {', '.join(SUITES)}")])
    machine = platform.machine()
    arch = next((name for name, kernels in ARCHITECTURES.items() if kernels == machine), "amd64")
    document = {
        "image_data": {
            "/boot": {"uri": f"http://127.0.0.1/{suite}_{arch}-boot.img.gz", "format": "ext2", "container": "gzip"},
            "/": {"uri": f"http://127.0.0.1/{suite}_{arch}.img.gz", "format": "ext4", "container": "gzip"},
        },
        "output": output,
        "repos": list(_repositories(suite, sources, root)),
        "codename": suite,
        "arch": arch,
    }
    return json.dumps(document, indent=2)


def _host_suite(sources: list[_Source]) -> str | None:
    return next((source.suite for source in sources if source.suite in SUITES), None)


def _repositories(suite: str, sources: list[_Source], root: Path) -> Iterator[dict[str, object]]:
    distribution = SUITES[suite].distribution
    host = _host_suite(sources)
    same = host is not None and SUITES[host].distribution == distribution
    base = next((s.uri for s in sources if s.suite == host), None) if same else _default_mirror(distribution, root)
    if base is None:
        LOG.warning("no mirror of %s is known to this host: replace mirror.example.org in the request", distribution)
        base = _NOWHERE.format(distribution.lower())
    own = {s.suite[len(host) :]: s.uri for s in sources if same and host is not None and s.suite.startswith(host)}
    for pocket in _POCKETS[distribution] if suite not in _UNSTABLE else ("",):
        uri = own.get(pocket) or _pocket_uri(base, distribution, pocket)
        components = _COMPONENTS[distribution]
        yield {
            "name": f"{suite}{pocket}",
            "uri": uri,
            "suite": f"{suite}{pocket}",
            "section": components,
            "priority": None,
        }


def _pocket_uri(base: str, distribution: str, pocket: str) -> str:
    """Debian keeps its security archive beside the main one; Ubuntu's main archive holds all pockets."""
    if distribution == "Debian" and pocket == "-security":
        return re.sub(r"/debian/?$", "/debian-security", base)
    return base


def _apt_sources(root: Path) -> Iterator[_Source]:
    """Read the host's sources.list(5), in both formats."""
    directory = root / "etc/apt"
    for path in [directory / "sources.list", *sorted(directory.glob("sources.list.d/*.list"))]:
        for line in _text(path).splitlines():
            match = _ONE_LINE.fullmatch(line.strip())
            if match:
                yield _Source(match[1].rstrip("/"), match[2], tuple(match[3].split()))
    for path in sorted(directory.glob("sources.list.d/*.sources"), key=_distribution_first):
        for block in re.split(r"\n\s*\n", re.sub(r"(?m)^#.*\n?", "", _text(path))):
            fields = dict(re.findall(r"(?m)^([\w-]+):[ \t]*(.*(?:\n[ \t]+.+)*)", block))
            if "deb" not in fields.get("Types", "").split() or fields.get("Enabled", "yes").lower() == "no":
                continue
            for uri in fields.get("URIs", "").split()[:1]:
                for suite in fields.get("Suites", "").split():
                    yield _Source(uri.rstrip("/"), suite, tuple(fields.get("Components", "").split()))


def _distribution_first(path: Path) -> tuple[bool, str]:
    return path.stem not in ("debian", "ubuntu"), path.name


def _default_mirror(distribution: str, root: Path) -> str | None:
    """Look for a distribution's default mirror where tools for it keep theirs."""
    script = {"Ubuntu": "gutsy", "Debian": "sid"}[distribution]
    mirrors = re.findall(r"default_mirror\s+(https?://\S+)", _text(root / "usr/share/debootstrap/scripts" / script))
    templates = _text(root / f"usr/share/python-apt/templates/{distribution}.info")
    mirrors += re.findall(r"(?m)^BaseURI:\s*(https?://\S+)", templates)
    current = [mirror.rstrip("/") for mirror in mirrors if "old-releases" not in mirror and "ports" not in mirror]
    return current[0] if current else None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
