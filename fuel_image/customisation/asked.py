"""What a request asks for beside packages.

Owns the frozen types of the customisation, how they come out of a request that has been checked, and the digests by
which two of them are told apart. What is written here may be secret: a file, a script, the answer to a package's
question. Only digests of it leave this module for a key or a record. It must not touch a tree.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fuel_image.errors import BuildError, Problem, RequestError

_CHUNK_BYTES = 1 << 20
_DEFAULT_MODE = "0644"
_DEFAULT_OWNER = "root:root"
_DEFAULT_TIMEOUT_SECONDS = 600
SERVICES = ("enable", "disable", "mask")
"""What can be done to a unit, in the order in which it is done."""
_UNIT_ENDINGS = ("service", "socket", "timer", "path", "target", "mount", "automount", "swap", "slice", "device")


@dataclass(frozen=True)
class Content:
    """Bytes with a *sha256*: the *text* of the request, or what the file *source* of the host held when it was read."""

    sha256: str
    text: str | None = field(default=None, repr=False)
    source: Path | None = None

    def chunks(self) -> Iterator[bytes]:
        """Give the bytes, piece by piece. Raises BuildError for a file that is another by now."""
        if self.source is None:
            yield (self.text or "").encode()
            return
        digest = hashlib.sha256()
        try:
            for chunk in _chunks(self.source):
                digest.update(chunk)
                yield chunk
        except OSError as error:
            raise BuildError(f"reading {self.source}: {error.strerror}") from error
        if digest.hexdigest() != self.sha256:
            raise BuildError(f"reading {self.source}: it has changed since the build began", advice="build again")


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            yield chunk


@dataclass(frozen=True)
class File:
    """A file at *path* in the tree. An *owner* is a user, or ``user:group``, by name or number."""

    path: str
    content: Content
    owner: str
    mode: int


@dataclass(frozen=True)
class User:
    """A user, made if the packages brought none of this name. *sudo* is a rule of sudoers(5) without the name."""

    name: str
    uid: int | None = None
    groups: tuple[str, ...] = ()
    shell: str | None = None
    home: str | None = None
    hashed_password: str | None = field(default=None, repr=False)
    keys: tuple[str, ...] = ()
    sudo: str | None = None


@dataclass(frozen=True)
class Script:
    """A program to run in the tree for at most *timeout_seconds*; *name* is its place in the request."""

    name: str
    content: Content
    timeout_seconds: int
    network: bool


@dataclass(frozen=True)
class Selection:
    """The answer *value* to the *question* of a package, as debconf-set-selections(1) takes it."""

    package: str
    question: str
    kind: str
    value: str = field(repr=False)

    @property
    def name(self) -> str:
        """What it is called for people."""
        return f"debconf {self.package} {self.question}"

    @property
    def digest(self) -> str:
        """What tells it from another answer."""
        return _digest([self.kind, self.value])


@dataclass(frozen=True)
class Customisation:
    """All of it; each field is empty, or None, where nothing was asked for. *services* are (verb, unit)."""

    files: tuple[File, ...] = ()
    users: tuple[User, ...] = ()
    services: tuple[tuple[str, str], ...] = ()
    sysctl: tuple[tuple[str, str], ...] = ()
    modules: tuple[str, ...] = ()
    kernel_parameters: tuple[str, ...] = ()
    timezone: str | None = None
    locale: str | None = None
    hostname: str | None = None
    scripts: tuple[Script, ...] = ()
    remove_packages: tuple[str, ...] = ()
    debconf: tuple[Selection, ...] = ()
    holds: tuple[str, ...] = ()

    @property
    def parts(self) -> Mapping[str, str]:
        """What is done to the tree when the packages are installed: names for people, and digests."""
        parts = {f"files {one.path}": _digest([one.owner, one.mode, one.content.sha256]) for one in self.files}
        for number, user in enumerate(self.users):  # their order gives them their numbers
            parts[f"users[{number}] {user.name}"] = _digest(dataclasses.asdict(user))
        for script in self.scripts:
            parts[script.name] = _digest([script.content.sha256, script.timeout_seconds, script.network])
        for name in _WHOLE:
            value = getattr(self, name)
            if value:
                parts[name] = _digest(value)
        return parts

    @property
    def names(self) -> tuple[str, ...]:
        """The names of everything, for people."""
        return (*(one.name for one in self.debconf), *self.parts)


_WHOLE = (
    *("services", "sysctl", "modules", "kernel_parameters", "timezone", "locale", "hostname"),
    *("remove_packages", "holds"),
)
"""The fields that are one part each."""


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def typed(document: Mapping[str, Any]) -> Customisation:
    """Return what a request, in which no problem was found, asks for. Raises RequestError for a file that is gone."""
    files = [_typed_file(one, f"$.files[{number}]") for number, one in enumerate(document.get("files", ()))]
    scripts = [_typed_script(one, number) for number, one in enumerate(document.get("scripts", ()))]
    services = document.get("services", {})
    return Customisation(
        files=tuple(files),
        users=tuple(_typed_user(one) for one in document.get("users", ())),
        services=tuple((verb, unit_name(one)) for verb in SERVICES for one in _once(services.get(verb, ()))),
        sysctl=tuple((name, str(value)) for name, value in document.get("sysctl", {}).items()),
        modules=_once(document.get("modules", ())),
        kernel_parameters=tuple(document.get("kernel_parameters", ())),
        timezone=document.get("timezone"),
        locale=document.get("locale"),
        hostname=document.get("hostname"),
        scripts=tuple(scripts),
        remove_packages=_once(document.get("remove_packages", ())),
        debconf=tuple(Selection(*split_selection(one)) for one in document.get("debconf", ())),
        holds=_once(document.get("holds", ())),
    )


def _once(names: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))


def unit_name(name: str) -> str:
    """Return the whole name of a unit; without an ending it is a service, as for systemctl(1)."""
    return name if name.rpartition(".")[2] in _UNIT_ENDINGS else f"{name}.service"


def split_selection(line: str) -> tuple[str, str, str, str]:
    """Return package, question, type and value; what is lacking is empty. A value may hold blanks."""
    words = [*line.split(None, 3), "", "", "", ""]
    return words[0], words[1], words[2], words[3]


def _typed_content(written: Mapping[str, Any], path: str) -> Content:
    if "content" in written:
        return Content(hashlib.sha256(written["content"].encode()).hexdigest(), text=written["content"])
    source = Path(written["source"])
    digest = hashlib.sha256()
    try:
        for chunk in _chunks(source):
            digest.update(chunk)
    except OSError as error:
        raise RequestError([Problem(f"{path}.source", f"{source} cannot be read: {error.strerror}")]) from error
    return Content(digest.hexdigest(), source=source)


def _typed_file(written: Mapping[str, Any], path: str) -> File:
    owner, mode = written.get("owner", _DEFAULT_OWNER), int(written.get("mode", _DEFAULT_MODE), 8)
    return File(written["path"], _typed_content(written, path), owner, mode)


def _typed_user(written: Mapping[str, Any]) -> User:
    sudo, uid = written.get("sudo", False), written.get("uid")
    return User(
        name=written["name"],
        uid=None if uid is None else int(uid),
        groups=_once(written.get("groups", ())),
        shell=written.get("shell"),
        home=written.get("home"),
        hashed_password=written.get("hashed_password"),
        keys=tuple(dict.fromkeys(one.strip() for one in written.get("keys", ()))),
        sudo="ALL=(ALL:ALL) NOPASSWD: ALL" if sudo is True else sudo or None,
    )


def _typed_script(written: Mapping[str, Any], number: int) -> Script:
    seconds, network = int(written.get("timeout", _DEFAULT_TIMEOUT_SECONDS)), written.get("network", False)
    return Script(f"scripts[{number}]", _typed_content(written, f"$.scripts[{number}]"), seconds, network)
