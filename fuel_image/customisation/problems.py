"""What is wrong with the customisation of a request.

Owns the checks of its values, once their shape is known to be right, with the JSON path of each problem. Files of the
host are only opened. It must not show what may be secret, and must not look into a tree.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
import stat
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from fuel_image.customisation.asked import SERVICES, split_selection, unit_name
from fuel_image.document import child, shown
from fuel_image.errors import Problem

Written = Mapping[str, Any]

_NOT_IN_AN_IMAGE = ("dev", "proc", "run", "sys", "tmp")
_LONGEST_NAME_BYTES = 200  # with what is added to it while it is written, a file system takes 255
_USER = r"[a-z_][a-z0-9_-]{0,31}"
_OWNER = rf"(?:{_USER}|[0-9]{{1,9}})"
_PACKAGE = r"[a-z0-9][a-z0-9+.-]+"
_KINDS = ("string", "boolean", "select", "multiselect", "password", "text", "note", "error", "title")
_KEY = re.compile(r"(?:^|\s)((?:sk-)?(?:ssh|ecdsa)-[a-z0-9@.-]+)\s+([A-Za-z0-9+/]+={0,2})(?:\s|$)")
CRYPT = re.compile(r"\$[0-9a-z]{1,4}\$[^:\s]+|[!*][^:\s]*|[./0-9A-Za-z]{13}")
"""What crypt(3) makes, or what locks."""
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_LONGEST_HOSTNAME = 253
_EXECUTABLE = b"#!"

_FORMS = {
    "sysctl": (r"-?[A-Za-z0-9_*][A-Za-z0-9_.*/-]*", "the name of a kernel setting such as net.ipv4.ip_forward"),
    "modules": (r"[A-Za-z0-9_-]+", "the name of a kernel module"),
    # A shell and then GRUB read them; neither gives a way to quote that both undo.
    "kernel_parameters": (r"[A-Za-z0-9_.,:;/@%+=~^?!*-]+", "a kernel parameter; blanks, quotes and $ are not possible"),
    "timezone": (r"[A-Za-z0-9_+-]+(?:/[A-Za-z0-9_+-]+)*", "a time zone such as Europe/Berlin"),
    "locale": (r"C|POSIX|[A-Za-z]{1,3}(?:_[A-Z]{2})?(?:\.[A-Za-z0-9-]+)?(?:@[a-z]+)?", "a locale such as en_US.UTF-8"),
    "hostname": (rf"{_LABEL}(?:\.{_LABEL})*", "a host name of letters, digits, hyphens and dots"),
    "remove_packages": (rf"{_PACKAGE}(?::[a-z0-9-]+)?", "the name of a package"),
    "holds": (rf"{_PACKAGE}(?::[a-z0-9-]+)?", "the name of a package"),
}
"""What a value, or each of several, looks like, and how that is called."""


def problems(document: Written) -> Iterator[Problem]:
    """Find what is wrong."""
    for name, (form, meaning) in _FORMS.items():
        for path, value in _values(document.get(name), f"$.{name}"):
            if not re.fullmatch(form, value):
                yield Problem(path, f"{shown(value)} is not {meaning}")
    if len(document.get("hostname") or "") > _LONGEST_HOSTNAME:
        yield Problem("$.hostname", f"longer than {_LONGEST_HOSTNAME} characters")
    for name, value in document.get("sysctl", {}).items():
        if not str(value).strip():
            yield Problem(child("$.sysctl", name), "must not be empty")
    yield from _file_problems(document.get("files", ()))
    yield from _user_problems(document.get("users", ()))
    yield from _service_problems(document.get("services", {}))
    for number, script in enumerate(document.get("scripts", ())):
        yield from _content_problems(script, f"$.scripts[{number}]", beginning=_EXECUTABLE)
    yield from _debconf_problems(document.get("debconf", ()))
    yield from _package_problems(document)


def _values(value: Any, path: str) -> Iterator[tuple[str, str]]:
    """Give what a field holds: itself, its items or its keys."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        yield from ((child(path, key), key) for key in value)
    else:
        yield from ((f"{path}[{number}]", one) for number, one in enumerate(value or ()))


def _content_problems(written: Written, path: str, *, beginning: bytes = b"") -> Iterator[Problem]:
    if ("content" in written) == ("source" in written):
        yield Problem(path, "give content, or source: a file of this host")
        return
    if "source" in written:
        source, begins = written["source"], b""
        wrong = "" if source.startswith("/") else "must be an absolute path on this host"
        try:
            begins = b"" if wrong else _begins(source, len(beginning))
        except OSError as error:
            wrong = f"{source} cannot be read: {error.strerror}"
        if wrong:
            yield Problem(f"{path}.source", wrong)
            return
    else:
        begins = written["content"][: len(beginning)].encode()
    if begins != beginning:
        place = "source" if "source" in written else "content"
        yield Problem(f"{path}.{place}", "does not begin with #! and the program that is to read it, such as #!/bin/sh")


def _begins(source: str, count: int) -> bytes:
    """Return the first bytes of a regular file; a pipe must not hold us up. Raises OSError."""
    descriptor = os.open(source, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(0, "it is no regular file")
        return os.read(descriptor, count)
    finally:
        os.close(descriptor)


def _file_problems(files: list[Written]) -> Iterator[Problem]:
    first: dict[str, int] = {}
    for number, file in enumerate(files):
        first.setdefault(file["path"], number)
    for number, file in enumerate(files):
        path, place = file["path"], f"$.files[{number}]"
        if not _shortest(path) or path == "/":
            yield Problem(f"{place}.path", f"{shown(path)} is not an absolute path of a file in its shortest form")
        elif path.split("/")[1] in _NOT_IN_AN_IMAGE:
            yield Problem(f"{place}.path", f"what is in /{path.split('/')[1]} is in no image")
        elif any(len(part.encode()) > _LONGEST_NAME_BYTES for part in path.split("/")):
            yield Problem(f"{place}.path", f"holds a name of more than {_LONGEST_NAME_BYTES} bytes")
        if first[path] != number:
            yield Problem(f"{place}.path", f"is also the path of $.files[{first[path]}]")
        for above in (str(one) for one in PurePosixPath(path).parents if str(one) in first):
            yield Problem(f"{place}.path", f"needs a directory where $.files[{first[above]}] is a file")
        if "owner" in file and not re.fullmatch(rf"{_OWNER}(?::{_OWNER})?", file["owner"]):
            yield Problem(f"{place}.owner", f"{shown(file['owner'])} is not USER or USER:GROUP, by name or number")
        yield from _content_problems(file, place)


def _shortest(path: str) -> bool:
    return path == str(PurePosixPath("/" + path.lstrip("/"))) and ".." not in path.split("/")


def _user_problems(users: list[Written]) -> Iterator[Problem]:
    for field in ("name", "uid"):
        first: dict[Any, int] = {}
        for number, user in enumerate(users):
            if user.get(field) is not None and first.setdefault(user[field], number) != number:
                yield Problem(f"$.users[{number}].{field}", f"is also that of $.users[{first[user[field]]}]")
    for number, user in enumerate(users):
        yield from _problems_of_user(user, f"$.users[{number}]")


def _problems_of_user(user: Written, place: str) -> Iterator[Problem]:
    for path, name in [(f"{place}.name", user["name"]), *_values(user.get("groups"), f"{place}.groups")]:
        if not re.fullmatch(_USER, name):
            yield Problem(path, f"{shown(name)} is not a name of a user or group (useradd(8))")
    for field in ("shell", "home"):
        if field in user and (not _shortest(user[field]) or set(user[field]) & set(":\n")):
            yield Problem(f"{place}.{field}", f"{shown(user[field])} is not an absolute path in its shortest form")
    for field in ("hashed_password", "uid", "home"):
        if user["name"] == "root" and user.get(field) is not None:
            other = "; root's is $.hashed_root_password" if field == "hashed_password" else ""
            yield Problem(f"{place}.{field}", f"cannot be set for root{other}")
    if user.get("hashed_password") is not None and not CRYPT.fullmatch(user["hashed_password"]):
        yield Problem(f"{place}.hashed_password", "is not what crypt(3) makes (such as $6$salt$hash)")
    for path, key in _values(user.get("keys"), f"{place}.keys"):
        if not _is_key(key):
            yield Problem(path, "is not one line with a public key such as ssh-ed25519 AAAA... (sshd(8))")
    if user.get("sudo") == "":
        yield Problem(f"{place}.sudo", "must not be empty; true allows everything without a password")


def _is_key(line: str) -> bool:
    """Tell whether a line of authorized_keys holds a whole public key: what is encoded begins with its own type."""
    for kind, encoded in _KEY.findall(line):
        try:
            blob = base64.b64decode(encoded, validate=True)
        except binascii.Error:
            continue
        if blob.startswith(len(kind).to_bytes(4, "big") + kind.encode()) and len(blob) > 4 + len(kind):
            return True
    return False


def _service_problems(services: Written) -> Iterator[Problem]:
    enabled = {unit_name(one) for one in services.get("enable", ())}
    for verb in SERVICES:
        for path, name in _values(services.get(verb), f"$.services.{verb}"):
            if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9:_.@\\-]*", name):
                yield Problem(path, f"{shown(name)} is not the name of a unit")
            elif verb != "enable" and unit_name(name) in enabled:
                yield Problem(path, f"{name} is also to be enabled")


def _debconf_problems(lines: list[str]) -> Iterator[Problem]:
    for number, line in enumerate(lines):
        package, question, kind, _ = split_selection(line)
        known = re.fullmatch(_PACKAGE, package) and re.fullmatch(r"[^\s#/]+/\S+", question) and kind in _KINDS
        if not known or line.endswith("\\"):
            form = "PACKAGE QUESTION TYPE VALUE as for debconf-set-selections(1), where TYPE is one of"
            yield Problem(f"$.debconf[{number}]", f"is not {form} {', '.join(_KINDS)}")


def _package_problems(document: Written) -> Iterator[Problem]:
    wanted = {re.split("[=/]", one)[0] for one in document.get("packages") or ()}
    removed = set(document.get("remove_packages", ()))
    for field, others, why in (("remove_packages", wanted, "wanted"), ("holds", removed, "to be removed")):
        for path, name in _values(document.get(field), f"$.{field}"):
            if name in others:
                yield Problem(path, f"{name} is also {why}")
