"""Secrets that are planted, and the search for them.

Owns the words that nobody may find, every form in which a program might write one, and where is looked: in files, their
names, the targets of links and extended attributes, and in what the kernel shows of every process.
"""

from __future__ import annotations

import base64
import contextlib
import json
import mmap
import os
import re
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote, quote_plus

ROOT_PASSWORD = 'planted "root" s3cret/ü'
URL_USER, URL_PASSWORD = "planted-url-user", "planted@url/s3cret?:#"
PROXY_USER, PROXY_PASSWORD = "planted-proxy-user", "planted@proxy/s3cret?:#"
URL_LOGIN, PROXY_LOGIN = f"{URL_USER}:{URL_PASSWORD}", f"{PROXY_USER}:{PROXY_PASSWORD}"
ENVIRONMENT = "planted-environment-s3cret"
"""What stands in the environment of the caller, which is nobody's business but the program's own."""


def with_login(url: str, user: str, password: str) -> str:
    """Return a URL with credentials, in the form that a request must have."""
    return url.replace("://", f"://{quote(user, safe='')}:{quote(password, safe='')}@")


def _forms(secret: str) -> Iterator[str]:
    yield secret
    yield from (quote(secret), quote(secret, safe=""), quote_plus(secret), json.dumps(secret)[1:-1], repr(secret)[1:-1])
    yield base64.b64encode(secret.encode()).decode().rstrip("=")
    yield secret.encode().hex()


SECRETS = (ROOT_PASSWORD, URL_USER, URL_PASSWORD, PROXY_USER, PROXY_PASSWORD, URL_LOGIN, PROXY_LOGIN)
"""The user's name is as secret as the password: together they are the credentials."""


def pattern(*secrets: str) -> re.Pattern[bytes]:
    """Return what finds any of *secrets*, or of those that are planted, in any form."""
    forms = {form for secret in secrets or SECRETS for form in _forms(secret)}
    return re.compile(b"|".join(re.escape(form.encode()) for form in sorted(forms)))


def found_below(places: Iterable[Path], wanted: re.Pattern[bytes]) -> list[str]:
    """Return where something is found in or below *places*: in which file, name, link or extended attribute."""
    return sorted({where for place in places for where in _found(place, wanted)})


def _found(place: Path, wanted: re.Pattern[bytes]) -> Iterator[str]:
    for path in [place, *place.rglob("*")]:
        if wanted.search(os.fsencode(path.name)):
            yield f"the name of {path}"
        if path.is_symlink():
            if wanted.search(os.fsencode(os.readlink(path))):
                yield f"the target of {path}"
        elif path.is_file() and path.stat().st_size:
            with path.open("rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as content:
                if wanted.search(content):
                    yield str(path)
        for name in os.listxattr(path, follow_symlinks=False):
            if wanted.search(os.getxattr(path, name, follow_symlinks=False)):
                yield f"{name} of {path}"


def family(pid: int) -> Iterator[int]:
    """Give a process and all that descend from it."""
    yield pid
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in children.read_text().split():
                yield from family(int(child))


class Watch:
    """What the kernel shows of processes: *seen* are the arguments of each that ran, *found* is where a secret was."""

    def __init__(self) -> None:
        self.seen: set[bytes] = set()
        self.found: set[str] = set()
        self.with_environment: set[bytes] = set()
        self._wanted = pattern()

    def look(self) -> None:
        """Look at every process that descends from this one; other tests run beside it."""
        _, *others = family(os.getpid())
        for process in (Path(f"/proc/{pid}") for pid in others):
            with contextlib.suppress(OSError):
                arguments = (process / "cmdline").read_bytes()
                environment = (process / "environ").read_bytes()
                name = (process / "comm").read_bytes()
                self.seen.add(arguments)
                for kind, text in (("arguments", arguments), ("environment", environment), ("name", name)):
                    if self._wanted.search(text):
                        self.found.add(f"the {kind} of {text!r}")
                if ENVIRONMENT.encode() in environment:
                    self.with_environment.add(arguments)


@contextmanager
def watched() -> Iterator[Watch]:
    """Look at all that is started, again and again, while the block runs."""
    watch, done = Watch(), threading.Event()

    def look() -> None:
        while not done.is_set():
            watch.look()
            time.sleep(0.002)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield watch
    finally:
        done.set()
        thread.join()
