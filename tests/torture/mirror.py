"""A mirror of our own with real packages.

They come from the mirror of this host, through the program's own pool, so that what a test then does to them costs
nobody anything. A few packages make a system; the essential ones and apt, without those of mere priority required.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import lzma
from collections.abc import Sequence
from dataclasses import dataclass
from email.utils import formatdate
from pathlib import Path
from shutil import copyfile
from typing import Any

from fuel_image import request as requests
from fuel_image.archive import opening, resolve, trust
from fuel_image.archive.fetch import Fetcher
from fuel_image.archive.packages import Package
from fuel_image.archive.pool import Pool
from fuel_image.archive.repositories import Repositories
from fuel_image.archive.seen import Seen
from fuel_image.archive.trust import Inquiry
from fuel_image.progress import step
from tests.integration.conftest import Request, sample
from tests.integration.repository import Signer

EXTRA = ("hello", "libeatmydata1", "libcap2-bin", "acl", "attr")
"""What a request may ask for beside the base system."""


@dataclass(frozen=True)
class Mirror:
    """A signed repository below *directory*, which *signer* signs; *suite* is that of its packages."""

    directory: Path
    signer: Signer
    suite: str

    def request(self, output: Path, uri: str | None = None, **changes: Any) -> Request:
        """Return a request for a small image set from here, or from *uri*, where the same is served."""
        repository = {"name": "mirror", "uri": uri or self.directory.as_uri(), "suite": self.suite}
        repository |= {"section": "main", "key": self.signer.key, "type": "deb"}
        images = {"/": {"uri": "http://127.0.0.1/small.img.gz", "format": "ext4", "container": "gzip"}}
        request = {"image_data": images, "output": str(output), "repos": [repository], "codename": self.suite}
        return {**request, "packages": ["hello"], **changes}

    def release(self, directory: Path | None = None, **fields: str) -> Path:
        """Write and sign the Release of the suite anew, with other *fields*; return the signed file."""
        place = (directory or self.directory) / "dists" / self.suite
        lines = {"Origin": "Test", "Suite": self.suite, "Codename": self.suite, "Date": formatdate(usegmt=True)}
        lines |= {"Architectures": "amd64", "Components": "main", "Acquire-By-Hash": "yes", **fields}
        text = "".join(f"{name}: {value}\n" for name, value in lines.items())
        digests = "".join(_digest_line(path, place) for path in sorted((place / "main/binary-amd64").glob("Packages*")))
        (place / "Release").write_text(f"{text}SHA256:\n{digests}")
        return self.signer.sign(place / "Release")


def made(directory: Path, cache_dir: Path, extra: Sequence[str] = EXTRA) -> Mirror:
    """Make a mirror of the host's release below *directory*; what is fetched for it is kept in a pool."""
    request = sample(None, directory / "unused", packages=list(extra))
    work = directory / "work"
    work.mkdir()
    asked = requests.parse(json.dumps(request))
    fetcher = Fetcher(Pool(cache_dir / "pool"))
    with step("Making a mirror") as making, fetcher.pool.used():
        inquiry = Inquiry(fetcher, work, Seen(work / "seen"))
        answers = trust.ask_all(asked.repositories, inquiry)
        repositories = opening.open_all(answers, asked.arch, inquiry, making)
        packages = _chosen(repositories, extra)
        fetcher.fetch((repositories.wanted(one) for one in packages), making)
        for one in packages:
            place = directory / "repository" / one.filename
            place.parent.mkdir(parents=True, exist_ok=True)
            copyfile(fetcher.pool.path(one.sha256), place)
    mirror = Mirror(directory / "repository", Signer(directory / "gnupg"), asked.codename)
    _index(mirror, b"\n".join(repositories.stanzas(packages)))
    mirror.release()
    return mirror


def _chosen(repositories: Repositories, names: Sequence[str]) -> Sequence[Package]:
    base = {one.name: one for one in resolve.base(repositories) if one.essential or one.name == "apt"}
    extra = {name: found for name in names if (found := repositories.candidate(name)) is not None}
    return resolve.close(repositories, {**base, **extra})


def _index(mirror: Mirror, stanzas: bytes) -> None:
    """Write the index, plain and compressed, also by its digest."""
    # What is essential and what it needs make a system; what has priority required only would double the time.
    content = stanzas.replace(b"Priority: required", b"Priority: important")
    place = mirror.directory / "dists" / mirror.suite / "main/binary-amd64"
    (place / "by-hash/SHA256").mkdir(parents=True)
    endings = {"": content, ".gz": gzip.compress(content, mtime=0), ".xz": lzma.compress(content)}
    for ending, written in endings.items():
        (place / f"Packages{ending}").write_bytes(written)
        (place / "by-hash/SHA256" / hashlib.sha256(written).hexdigest()).write_bytes(written)


def _digest_line(path: Path, place: Path) -> str:
    content = path.read_bytes()
    return f" {hashlib.sha256(content).hexdigest()} {len(content)} {path.relative_to(place)}\n"
