"""Secrets: what a request holds is found nowhere.

The root password, the credentials of the repository's URL and those of the proxy are planted, and then looked for:
as they are, percent-encoded, in base64, in JSON, in hexadecimal.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from fuel_image.archive.fetch import Fetcher
from fuel_image.archive.pool import Pool
from fuel_image.errors import FetchError
from fuel_image.request import Proxies
from tests.integration import repository
from tests.integration.conftest import NEVER_WAIT_LONGER_SECONDS, PROGRAM, Fuel, Request, Run, metadata_of
from tests.integration.images import ImageSet, mounted
from tests.integration.servers import Handler, serving

from . import planted
from .conftest import Tried
from .mirror import Mirror

pytestmark = pytest.mark.xdist_group("secrets")

HASHED = "$6$planted$1zwyHEVm8kGPyQFTc7bCD9W8Vg1NUsHDQDLzIPsMdYEwQyBnkkQM0vS6GFwLQJFVZ9mWfxkL3L6DNbUcIEXxh1"
NAMED = "http://mirror.example.org/debian"
"""Nobody asks for this name but the proxy, which knows where it is."""
SCRIPT = """#!/bin/sh
{ tr '\\0' '\\n' < /proc/self/environ; cat /proc/[0-9]*/cmdline; } > /usr/share/seen
ulimit -c > /usr/share/cores
cd /
sh -c 'kill -ABRT $$' || true
"""


def _basic(user: str, password: str) -> str:
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"


@pytest.fixture(scope="session")
def proxy(mirror: Mirror, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A proxy that wants to know who asks, and through it the mirror, which wants to know it, too."""
    mine = tmp_path_factory.mktemp("mine")
    repository.release(mine, "mine", repository.package(mine, "mine", postinst=SCRIPT))
    places = {"debian": mirror.directory, "mine": mine}

    class Guarded(Handler):
        def translate_path(self, path: str) -> str:
            place, _, rest = path.partition("example.org/")[2].partition("/")
            return str(places[place] / rest)

        def do_GET(self) -> None:
            if self.headers.get("Proxy-Authorization") != _basic(planted.PROXY_USER, planted.PROXY_PASSWORD):
                self.send_error(407)
            elif self.headers.get("Authorization") != _basic(planted.URL_USER, planted.URL_PASSWORD):
                self.send_error(401)
            else:
                super().do_GET()

    with serving(Guarded) as url:
        yield url


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the builds of these tests keep for each other, and nobody else."""
    return tmp_path_factory.mktemp("kept") / "cache"


@dataclass(frozen=True)
class Case:
    """A request with all secrets in it, or with some in the site's configuration, and how to ask for it."""

    directory: Path
    cache: Path
    request: Request

    @property
    def path(self) -> str:
        return f"@{self.directory / 'request.json'}"

    @property
    def options(self) -> tuple[str, ...]:
        places = {"work-dir": "work", "log-file": "build.log", "config": "site.yaml"}
        return (f"--cache-dir={self.cache}", *(f"--{name}={self.directory / at}" for name, at in places.items()))

    @property
    def log(self) -> Path:
        return self.directory / "build.log"


def case(directory: Path, cache: Path, mirror: Mirror, proxy: str, *, at_site: bool = False) -> Case:
    """Write the request and the configuration."""
    uri = planted.with_login(NAMED, planted.URL_USER, planted.URL_PASSWORD)
    password = {"hashed_root_password": HASHED} if at_site else {"root_password": planted.ROOT_PASSWORD}
    request = mirror.request(directory / "output", uri, packages=["mine"], **password)
    mine = {"name": "mine", "uri": uri.replace("/debian", "/mine"), "suite": "mine", "section": "main"}
    request["repos"].append({**mine, "trusted": True})
    proxies = {"protocols": {"http": planted.with_login(proxy, planted.PROXY_USER, planted.PROXY_PASSWORD)}}
    (directory / "site.yaml").write_text(yaml.safe_dump({"proxies": proxies} if at_site else {}))
    request |= {} if at_site else {"proxies": proxies}
    (directory / "request.json").write_text(json.dumps(request))
    return Case(directory, cache, request)


@dataclass(frozen=True)
class Built:
    """A build, what was seen meanwhile, and the root file system that came of it."""

    case: Case
    ended: Run
    watch: planted.Watch
    metadata: Path
    raw: Path


@pytest.fixture(scope="session", params=["in the request", "at the site"])
def built(
    request: pytest.FixtureRequest,
    fuel: Fuel,
    mirror: Mirror,
    proxy: str,
    cache: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Built:
    """A build that is watched from beginning to end."""
    asked = case(tmp_path_factory.mktemp("case"), cache, mirror, proxy, at_site=request.param == "at the site")
    with planted.watched() as watch:
        environment = {**os.environ, "FUEL_IMAGE_TEST": planted.ENVIRONMENT}
        ended = fuel(asked.path, *asked.options, env=environment)
    metadata = metadata_of(asked.request)
    raw = ImageSet(metadata).unpack("/", tmp_path_factory.mktemp("raw") / "root.image")
    return Built(asked, ended, watch, metadata, raw)


def test_processes(built: Built, tried: Tried) -> None:
    """No argument and no environment of any process holds a secret, at any time of a build."""
    assert built.watch.found == set()
    programs = {Path(os.fsdecode(one.partition(b"\0")[0])).name for one in built.watch.seen}
    assert {"gpgv", "mke2fs", "e2fsck"} & programs, "it was looked often enough"
    tried(len(built.watch.seen))


def test_the_callers_environment(built: Built) -> None:
    """What a build starts does not see the environment of who started it."""
    assert built.watch.with_environment != set()
    assert all(b"request.json" in one for one in built.watch.with_environment), "forks of the program itself, at most"


def test_what_is_said(built: Built) -> None:
    """The output and the log, with every detail, hold no secret."""
    wanted = planted.pattern()
    log = built.case.log.read_bytes()
    assert b" DEBUG " in log and b"***@" in log
    assert not wanted.search(log)
    assert not wanted.search((built.ended.stdout + built.ended.stderr).encode())


def test_what_is_published_and_kept(built: Built, tried: Tried) -> None:
    """No file that is published or kept for later builds has a secret in it or in its name."""
    places = [built.metadata.parent, built.case.cache, built.case.directory / "work"]
    assert planted.found_below(places, planted.pattern()) == []
    assert list((built.case.cache / "layers").iterdir()), "there are layers"
    tried(sum(1 for place in places for _ in place.rglob("*")))


def test_the_image(built: Built) -> None:
    """No byte of an image, in its files or between them, is of a secret."""
    assert planted.found_below([built.raw], planted.pattern()) == []


def test_the_hash_of_the_password(built: Built, tmp_path: Path) -> None:
    """What crypt(3) makes of the password is in the image's /etc/shadow, once, and nowhere else."""
    with mounted(built.raw, tmp_path / "tree", "ext4") as tree:
        shadow = tree / "etc/shadow"
        hashed = next(line for line in shadow.read_text().splitlines() if line.startswith("root:")).split(":")[1]
        assert hashed.startswith("$6$")
        assert planted.found_below([tree], planted.pattern(hashed)) == [str(shadow)]
        assert shadow.stat().st_mode & 0o007 == 0
    assert len(re.findall(re.escape(hashed.encode()), built.raw.read_bytes())) == 1
    places = [built.metadata.parent, built.case.cache, built.case.directory / "work", built.case.log]
    assert planted.found_below(places, planted.pattern(hashed)) == []
    assert hashed not in built.ended.stdout + built.ended.stderr


def test_maintainer_scripts(built: Built, tmp_path: Path) -> None:
    """A maintainer script sees no proxy and no secret, and leaves no core file in the image."""
    with mounted(built.raw, tmp_path / "tree", "ext4") as tree:
        seen = (tree / "usr/share/seen").read_text()
        assert "DEBIAN_FRONTEND=noninteractive" in seen
        assert "proxy" not in seen.lower() and planted.ENVIRONMENT not in seen
        assert (tree / "usr/share/cores").read_text() == "0\n"
        assert list(tree.glob("core*")) == []


def test_what_the_commands_print(built: Built, tried: Tried) -> None:
    """What the commands print holds no secret: the plan, the settings, the reasons for a layer, a set, its differences
    from another.
    """
    path, metadata, options = built.case.path, str(built.metadata), built.case.options
    config, cache = options[-1], options[0]
    every = [
        [*options, "--dry-run", path],
        [*options, path],
        ["cache", "explain", *options, path],
        ["cache", "list", cache, config],
        ["config", config],
        *([command, metadata] for command in ("show", "verify")),
        ["compare", metadata, metadata],
    ]
    for arguments in every:
        ended = subprocess.run([*PROGRAM, *arguments], check=True, capture_output=True, stdin=subprocess.DEVNULL)
        assert ended.stdout + ended.stderr, arguments
        assert not planted.pattern().search(ended.stdout + ended.stderr), arguments
    tried(len(every))


@contextlib.contextmanager
def begun(
    asked: Case, *argument: str, until: str, program: Sequence[str] = PROGRAM, **how: Any
) -> Iterator[subprocess.Popen[str]]:
    """Give a build that has just said *until*; at the end of the block it must have ended."""
    argv = [*program, *asked.options, *argument]
    with subprocess.Popen(
        argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, **how
    ) as build:
        assert build.stderr is not None
        heard = next((line for line in build.stderr if until in line), None)
        assert heard is not None, "the build has ended before"
        yield build


def test_a_request_in_the_argument(mirror: Mirror, proxy: str, cache: Path, tmp_path: Path) -> None:
    """A request that comes as an argument is seen there no more once it has been read, nor in the arguments of what is
    started then.
    """
    asked = case(tmp_path, cache, mirror, proxy)
    with begun(asked, json.dumps(asked.request), until="Asking the repositories") as build, planted.watched() as watch:
        shown = Path(f"/proc/{build.pid}/cmdline").read_bytes()
        family = list(planted.family(build.pid))
        build.send_signal(signal.SIGTERM)
        build.communicate(timeout=NEVER_WAIT_LONGER_SECONDS)
    assert len(family) > 1
    assert shown.rstrip(b"\0").split(b"\0")[1:] == [os.fsencode(one) for one in (*PROGRAM[1:], *asked.options, "{...}")]
    assert watch.found == set()
    assert build.returncode in (0, 128 + signal.SIGTERM)  # it may have been done before it was looked at


def test_what_a_killed_build_leaves(mirror: Mirror, proxy: str, cache: Path, tmp_path: Path) -> None:
    """A build that is killed after it has set the password leaves no secret in its work directory, and its hash where
    root alone may look.
    """
    asked = case(tmp_path, cache, mirror, proxy)
    with begun(asked, asked.path, until="Cleaning the tree") as build:
        build.kill()
    work = tmp_path / "work"
    assert list(work.glob("build-*")), "it has left its directory"
    assert planted.found_below([work, cache, tmp_path / "output"], planted.pattern()) == []
    (shadow,) = (path for path in work.rglob("shadow") if "root:$6$" in path.read_text())
    hashed = shadow.read_text().partition("root:")[2].partition(":")[0]
    assert work.stat().st_mode & 0o077 == 0
    assert planted.found_below([cache, asked.log], planted.pattern(hashed)) == []


CRASHING = """
import ctypes, sys
from fuel_image import cli
from fuel_image.archive import trust
trust.ask_all = lambda *_: ctypes.string_at(0)
sys.exit(cli.main())
"""
"""The program, with a defect that ends it where it has just read all secrets."""


def _core_limit(pid: int) -> tuple[str, ...]:
    text = Path(f"/proc/{pid}/limits").read_text()
    return tuple(text.partition("Max core file size")[2].split()[:2])


def test_no_core(mirror: Mirror, proxy: str, cache: Path, tmp_path: Path) -> None:
    """A crash of the program, or of what waits for it, leaves no core file, however large the host lets them be."""
    there = tmp_path / "here"
    there.mkdir()
    unlimited = ("prlimit", "--core=unlimited:unlimited", "--")
    asked = case(tmp_path, cache, mirror, proxy)
    argv = [*unlimited, sys.executable, "-c", CRASHING, *asked.options, asked.path]
    crashed = subprocess.run(argv, check=False, cwd=there, stderr=subprocess.DEVNULL)
    assert crashed.returncode == 128 + signal.SIGSEGV
    assert list(there.iterdir()) == []
    with begun(asked, asked.path, until="Asking", program=(*unlimited, *PROGRAM), cwd=there) as build:
        limits = [_core_limit(pid) for pid in planted.family(build.pid)]
        assert len(limits) > 1 and set(limits) == {("0", "0")}, "also where this host makes no core, or gives it away"
        build.send_signal(signal.SIGABRT)
    assert build.returncode == -signal.SIGABRT
    assert list(there.iterdir()) == []
    assert planted.found_below([tmp_path / "work"], planted.pattern()) == []


HOOK = """#!/bin/sh
printenv > $(dirname $0)/told
"""


def test_what_is_said_of_failures(mirror: Mirror, proxy: str, tmp_path: Path, tried: Tried) -> None:
    """No message of a failure, no traceback in the log and no hook that is told of it holds a secret."""
    login = (planted.URL_USER, planted.URL_PASSWORD)
    proxied = {"protocols": {"http": planted.with_login(proxy, planted.PROXY_USER, planted.PROXY_PASSWORD)}}
    unknown = {"protocols": {"http": planted.with_login(proxy, "planted-url-user", "another")}}
    failures: list[tuple[str, dict[str, Any], str]] = [
        (NAMED, unknown, "407"),
        (f"{NAMED}/nowhere", proxied, "has no suite"),
        ("http://mirror..example.org/debian", {}, "mirror..example.org"),
        ("http://[::1/debian", {}, "must be an http"),
        ("http://mirror.example.org:port/debian", {}, "must be an http"),
        ("ftp://mirror.example.org/debian", {}, "must be an http"),
        ("http://mirror.example.org/de bian", {}, "must be an http"),
    ]
    hook = tmp_path / "hook"
    hook.write_text(HOOK)
    hook.chmod(0o755)
    (tmp_path / "site.yaml").write_text(f"hooks: {{failed: [{hook}]}}\n")
    for number, (uri, proxies, said) in enumerate(failures):
        log = tmp_path / f"{number}.log"
        request = mirror.request(tmp_path / "output", planted.with_login(uri, *login), proxies=proxies)
        (tmp_path / "request.json").write_text(json.dumps({**request, "root_password": planted.ROOT_PASSWORD}))
        options = [f"--work-dir={tmp_path / 'work'}", f"--cache-dir={tmp_path / 'cache'}", f"--log-file={log}"]
        argv = [*PROGRAM, *options, f"--config={tmp_path / 'site.yaml'}", f"@{tmp_path / 'request.json'}"]
        ended = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=NEVER_WAIT_LONGER_SECONDS)
        assert ended.returncode in (1, 2) and said in ended.stderr, ended.stderr
        (tmp_path / "request.json").unlink()
        told = [path for path in tmp_path.glob("told") if "FUEL_IMAGE_ERROR=" in path.read_text()]
        assert len(told) == (ended.returncode == 1)
        assert "Traceback" in log.read_text()
        assert not planted.pattern().search(ended.stderr.encode())
        assert planted.found_below([log, *told, tmp_path / "work", tmp_path / "cache"], planted.pattern()) == []
        for path in told:
            path.unlink()
    tried(len(failures))


def test_what_is_said_of_a_mirror_or_a_proxy_that_is_dead(
    proxy: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What is said of a mirror or a proxy that nobody reaches, or that has no TLS, holds no secret."""
    dead, plain = "http://127.0.0.1:9", proxy.replace("http:", "https:")
    through = Proxies((("http", planted.with_login(dead, planted.PROXY_USER, planted.PROXY_PASSWORD)),))
    caplog.set_level("DEBUG")
    for url, proxies, reason in ((NAMED, through, "refused"), (dead, Proxies(), "refused"), (plain, Proxies(), "TLS")):
        asked = planted.with_login(url, planted.URL_USER, planted.URL_PASSWORD)
        with pytest.raises(FetchError, match=rf"\*\*\*@.*{reason}") as caught:
            Fetcher(Pool(tmp_path), proxies, attempts=2).small((asked,), "a file", 10)
        said = "".join(traceback.format_exception(caught.type, caught.value, caught.tb)) + caplog.text
        assert not planted.pattern().search(said.encode())
