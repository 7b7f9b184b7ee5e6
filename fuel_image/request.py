"""The request: what the caller asks for.

Owns what the values of the contract mean: their checks, their defaults, and the frozen types that they become. Every
problem is found and reported at once, with its JSON path, before anything is touched. It must not look at a repository.
The reading and the shape are ``document.py``'s.
"""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
import logging
import math
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from fuel_image.customisation import asked
from fuel_image.customisation.asked import Customisation
from fuel_image.customisation.problems import CRYPT
from fuel_image.customisation.problems import problems as customisation_problems
from fuel_image.document import (
    MOST_PROBLEMS,
    REQUEST,
    child,
    load,
    odd_strings,
    schema,
    shape_problems,
    shown,
    unknown_keys,
)
from fuel_image.elements import asked as elements_asked
from fuel_image.elements.asked import Chosen
from fuel_image.errors import Problem, RequestError, redact
from fuel_image.images.filesystems import FILESYSTEMS
from fuel_image.outputs import asked as outputs
from fuel_image.outputs import exports as tree_exports
from fuel_image.outputs import names
from fuel_image.outputs.asked import DiskRequest
from fuel_image.outputs.exports import EXPORTS, ExportRequest
from fuel_image.outputs.names import metadata_filename
from fuel_image.outputs.problems import problems as disk_problems
from fuel_image.sizes import DEFAULT_RESERVE, Reserve, reserve
from fuel_image.uris import file_named, split_or_none

LOG = logging.getLogger(__name__)

_SCHEMES = ("http", "https", "file")
_PACKAGE = re.compile(r"[a-z0-9][a-z0-9+.-]+(:[a-z0-9-]+)?([=/][A-Za-z0-9.+:~-]+)?")
_AT_SIGN = "has an @ behind the host: write %40, and in a password %2F, %3F and %23 for /, ? and #"
"""What might be the end of a password would be asked for, and shown, as a path."""
_PIN_LIMIT = 32767  # apt keeps priorities in a short
_PASSWORD_ROUNDS = 200_000


@dataclass(frozen=True)
class Repository:
    """A package repository; *uris* are its mirrors in order of preference, *components* empty for a flat one.

    *keyrings* are files of the site's keys, which count where no *key* is given.
    """

    name: str
    uris: tuple[str, ...]
    suite: str
    components: tuple[str, ...]
    priority: int | None = None
    key: str | None = field(default=None, repr=False)
    fingerprint: str | None = None
    trusted: bool = False
    keyrings: tuple[Path, ...] = ()


@dataclass(frozen=True)
class ImageRequest:
    """One image: the tree below *mount* (without what lies on deeper mount points), as *filename* in the output."""

    mount: str
    filename: str
    format: str
    container: str
    label: str | None = None
    reserve: Reserve = DEFAULT_RESERVE


@dataclass(frozen=True)
class Proxies:
    """Proxy URLs by scheme, and the hosts that are reached directly."""

    by_scheme: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    direct_hosts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Request:
    """Everything that was asked for. *packages* is None when the default set is wanted.

    *digest* tells whether two requests ask for the same; it may be published (see ``_digest``).
    """

    images: tuple[ImageRequest, ...]
    output: Path
    repositories: tuple[Repository, ...]
    codename: str
    packages: tuple[str, ...] | None
    arch: str
    root_password: str | None = field(repr=False)
    hashed_root_password: str | None = field(repr=False)
    proxies: Proxies
    source_date_epoch: int | None
    customisation: Customisation
    disks: tuple[DiskRequest, ...]
    exports: tuple[ExportRequest, ...]
    checksums: bool
    signing_key: str | None
    chosen: Chosen
    digest: str

    @property
    def metadata_filename(self) -> str:
        """The name that consumers derive: the root image's up to its first dot, plus ``.yaml``."""
        return metadata_filename(self.main_filename)

    @property
    def main_filename(self) -> str:
        """The file that names the set: the root image, or else the first of the others."""
        root = [image.filename for image in self.images if image.mount == "/"]
        return (*root, *self.filenames)[0]

    @property
    def filenames(self) -> tuple[str, ...]:
        """The files that are published, but for the metadata."""
        images, disks = (one.filename for one in self.images), (one.filename for one in self.disks)
        return (*images, *disks, *(one.filename for one in self.exports))

    @property
    def metadata_path(self) -> Path:
        """Where the metadata is published."""
        return self.output / self.metadata_filename


def parse(text: str, *, strict: bool = False, environment: Mapping[str, str] | None = None) -> Request:
    """Turn JSON text into a Request.

    Unknown keys are logged with the closest known name, or with *strict* are problems like any other; the newest
    caller sends dozens. Raises RequestError with every problem found.
    """
    try:
        return _parse(text, strict, os.environ if environment is None else environment)
    except RecursionError:
        raise RequestError([Problem("$", "not JSON: nested too deeply")]) from None


def _parse(text: str, strict: bool, environment: Mapping[str, str]) -> Request:
    document, problems = load(text)
    found = itertools.islice(unknown_keys(document, schema(REQUEST), "$"), MOST_PROBLEMS)
    unknown = [Problem(path, message) for path, message in found]
    if strict:
        problems += unknown
    else:
        for problem in unknown:
            LOG.info("ignoring %s", problem)
    problems += shape_problems(document, schema(REQUEST))
    problems += itertools.islice(odd_strings(document, "$"), MOST_PROBLEMS)
    if not problems:
        problems += itertools.islice(_meaning_problems(document), MOST_PROBLEMS)
    epoch, epoch_problems = _epoch(document, environment)
    problems += epoch_problems
    if problems:
        raise RequestError(problems)
    return _typed(document, epoch)


def _meaning_problems(document: dict[str, Any]) -> Iterator[Problem]:
    if not any(key in document for key in ("image_data", "disks", *EXPORTS)):
        yield Problem("$", f"asks for nothing: give image_data, disks, {', '.join(EXPORTS)} or several of them")
    yield from _image_problems(document.get("image_data"))
    yield from names.problems(document)
    yield from disk_problems(document)
    yield from tree_exports.problems(document)
    for index, repo in enumerate(document["repos"]):
        yield from _repository_problems(repo, f"$.repos[{index}]")
    for index, package in enumerate(document.get("packages", ())):
        if not _PACKAGE.fullmatch(package):
            yield Problem(f"$.packages[{index}]", f"{shown(package)} is not a package name")
    if document.get("root_password") is not None and document.get("hashed_root_password") is not None:
        yield Problem("$.hashed_root_password", "give this or root_password, not both")
    if document.get("root_password") == "":
        yield Problem("$.root_password", "must not be empty; without one, root is locked")
    hashed = document.get("hashed_root_password")
    if hashed is not None and not CRYPT.fullmatch(hashed):
        yield Problem("$.hashed_root_password", "is not what crypt(3) makes (such as $6$salt$hash)")
    yield from proxy_problems(document.get("proxies", {}))
    yield from customisation_problems(document)
    yield from elements_asked.problems(document)
    output = document["output"]
    if os.path.exists(output) and not os.path.isdir(output):
        yield Problem("$.output", f"{output} exists and is not a directory")


def proxy_problems(proxies: dict[str, Any]) -> Iterator[Problem]:
    """Find what is wrong with proxies, here or in the site's configuration."""
    for scheme, proxy in proxies.get("protocols", {}).items():
        # One of a scheme that the schema does not know may be no text.
        split = split_or_none(proxy) if isinstance(proxy, str) else None
        if split is None:
            yield Problem(f"$.proxies.protocols.{scheme}", "is not a URL such as http://proxy.example.org:3128")
        elif "@" in split.path + split.query + split.fragment:
            yield Problem(f"$.proxies.protocols.{scheme}", _AT_SIGN)


def _image_problems(image_data: dict[str, Any] | None) -> Iterator[Problem]:
    if image_data is None:
        return
    if "/" not in image_data:
        yield Problem("$.image_data", "no image for /; the root image is required and names the metadata file")
    for mount, image in image_data.items():
        path = child("$.image_data", mount)
        if (
            not mount.startswith("/")
            or mount != str(PurePosixPath("/" + mount.lstrip("/")))
            or ".." in mount.split("/")
        ):
            yield Problem(path, f"{shown(mount)} is not an absolute mount point in its shortest form")
        longest = FILESYSTEMS[image["format"]].label_limit_bytes
        if len(image.get("label", "").encode()) > longest:
            yield Problem(f"{path}.label", f"too long for {image['format']}, which takes {longest} bytes")
        if "reserve" in image and reserve(image["reserve"]) is None:
            yield Problem(f"{path}.reserve", f"{shown(image['reserve'])} is no size (bytes, or such as 64MiB or 5%)")


def _repository_problems(repo: dict[str, Any], path: str) -> Iterator[Problem]:
    for place, uri in [("uri", repo["uri"]), *((f"uris[{n}]", uri) for n, uri in enumerate(repo.get("uris", ())))]:
        split = split_or_none(uri)
        if split is None or split.scheme not in _SCHEMES or not uri.isprintable() or set(uri) & set(" ?#"):
            yield Problem(f"{path}.{place}", f"must be an {', '.join(_SCHEMES[:-1])} or {_SCHEMES[-1]} URI")
        elif "@" in split.path:
            yield Problem(f"{path}.{place}", _AT_SIGN)
    flat, components = repo["suite"].endswith("/"), repo.get("section", "").split()
    if flat and components:
        yield Problem(f"{path}.section", "must be empty for a flat repository (a suite that ends with /)")
    if not flat and not components:
        yield Problem(f"{path}.section", "names no component; a flat repository has a suite that ends with /")
    for place, words in (("suite", [repo["suite"]]), ("section", components)):
        if any(not re.fullmatch(r"[A-Za-z0-9._/+-]+", word) or ".." in word.split("/") for word in words):
            yield Problem(f"{path}.{place}", "holds characters that no repository has")
    priority = repo.get("priority")
    if priority is not None and (priority == 0 or abs(priority) > _PIN_LIMIT):
        yield Problem(
            f"{path}.priority", f"must be between -{_PIN_LIMIT} and {_PIN_LIMIT} and not 0 (apt_preferences(5))"
        )
    key = repo.get("key", "")
    if key.startswith("http://"):
        yield Problem(f"{path}.key", "a key is fetched over https only")
    if key.startswith("https://") and "fingerprint" not in repo:
        yield Problem(f"{path}.fingerprint", "is required with a key that is fetched from a URL")
    if key and "fingerprint" in repo and len(repo["fingerprint"].replace(" ", "")) not in (40, 64):
        yield Problem(f"{path}.fingerprint", "must be the full fingerprint of 40 hexadecimal digits")


def _epoch(document: Any, environment: Mapping[str, str]) -> tuple[int | None, list[Problem]]:
    """The request's source_date_epoch, or the environment's (reproducible-builds.org/specs/source-date-epoch)."""
    asked = document.get("source_date_epoch") if isinstance(document, dict) else None
    inherited = environment.get("SOURCE_DATE_EPOCH", "")
    if asked is not None or not inherited:
        if isinstance(asked, float):
            return int(asked) if math.isfinite(asked) else None, []
        return asked if isinstance(asked, int) else None, []  # which may be too large to be compared with infinity
    if not re.fullmatch("[0-9]{1,10}", inherited) or int(inherited) > 0xFFFFFFFF:
        return None, [Problem("SOURCE_DATE_EPOCH", f"{shown(inherited)} in the environment is not a number of seconds")]
    return int(inherited), []


def _typed(document: dict[str, Any], epoch: int | None) -> Request:
    chosen = elements_asked.typed(document)
    packages = document.get("packages", [] if chosen.elements else None)
    request = Request(
        images=tuple(_typed_image(mount, image) for mount, image in sorted(document.get("image_data", {}).items())),
        output=Path(document["output"]).absolute(),
        repositories=tuple(_typed_repository(index, repo) for index, repo in enumerate(document["repos"])),
        codename=document["codename"],
        packages=None if packages is None else tuple(dict.fromkeys(packages)),
        arch=document.get("arch", "amd64"),
        root_password=document.get("root_password"),
        hashed_root_password=document.get("hashed_root_password"),
        proxies=proxies_from(document.get("proxies", {})),
        source_date_epoch=epoch,
        customisation=asked.typed(document),
        disks=outputs.disks(document),
        exports=tree_exports.exports(document),
        checksums=tree_exports.wants_checksums(document),
        signing_key=document.get("signing_key"),
        chosen=chosen,
        digest="",
    )
    return dataclasses.replace(request, digest=_digest(request))


def proxies_from(written: dict[str, Any]) -> Proxies:
    """Return proxies with types."""
    return Proxies(tuple(sorted(written.get("protocols", {}).items())), tuple(written.get("direct_repo_addr_list", ())))


def _digest(request: Request) -> str:
    """Return the SHA-256 of all that changes the images: what was understood, not how it was written.

    A key that we ignore is no part of it: the newest caller sends its nodes along, and a new node makes no new image.
    It goes into the metadata, which everybody can read, so URL credentials and proxies stay out of it, and the
    password, the customisation and the elements, where anything may be secret, enter through a slow derivation: a plain
    digest would let anybody try what they might be against it.
    """
    wanted = dataclasses.asdict(request)
    for name in ("output", "proxies", "root_password", "customisation", "chosen", "digest"):
        del wanted[name]
    text = redact(json.dumps(wanted, sort_keys=True, indent=0))  # a value a line, which no redaction exceeds
    custom = request.customisation
    secrets = [] if request.root_password is None else [request.root_password]
    secrets += (
        [json.dumps([[(one.name, one.digest) for one in custom.debconf], custom.parts])]
        if custom != Customisation()
        else []
    )
    if request.chosen.elements:
        secrets.append(json.dumps([request.chosen.digests, request.chosen.environment]))
    for secret in secrets:
        salt, known = text.encode(), secret.encode("utf-8", "surrogatepass")
        text += hashlib.pbkdf2_hmac("sha256", known, salt, _PASSWORD_ROUNDS).hex()
    return hashlib.sha256(text.encode()).hexdigest()


def _typed_image(mount: str, image: dict[str, Any]) -> ImageRequest:
    free = reserve(image["reserve"]) if "reserve" in image else DEFAULT_RESERVE
    name = file_named(image["uri"])
    assert free is not None and name is not None, "both were checked"
    return ImageRequest(mount, name, image["format"], image["container"], image.get("label"), free)


def _typed_repository(index: int, repo: dict[str, Any]) -> Repository:
    fingerprint = repo.get("fingerprint")
    return Repository(
        name=repo.get("name") or f"repository {index}",
        uris=tuple(dict.fromkeys(uri.rstrip("/") for uri in (repo["uri"], *repo.get("uris", ())))),
        suite=repo["suite"].lstrip("/") or "/",
        components=tuple(dict.fromkeys(repo.get("section", "").split())),
        priority=None if repo.get("priority") is None else int(repo["priority"]),
        key=repo.get("key"),
        fingerprint=None if fingerprint is None else fingerprint.replace(" ", "").upper(),
        trusted=repo.get("trusted", False),
    )
