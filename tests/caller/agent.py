"""The agent on the master and the caller at the other end of the middleware, both of Debian's MCollective."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import fuel_image

from .daemons import SYSTEM_PATH, running
from .middleware import PASSWORD, USER

HERE = Path(__file__).parent
PATIENCE_SECONDS = 600
"""What the agent and its caller give a command, where no test is about that: Fuel gives an hour."""

CONFIGURATION = """\
identity = {identity}
main_collective = mcollective
collectives = mcollective
direct_addressing = 1
libdir = {plugins}
daemonize = 0
logger_type = console
loglevel = warn
securityprovider = psk
plugin.psk = secret
connector = rabbitmq
plugin.rabbitmq.vhost = /
plugin.rabbitmq.pool.size = 1
plugin.rabbitmq.pool.1.host = 127.0.0.1
plugin.rabbitmq.pool.1.port = {port}
plugin.rabbitmq.pool.1.user = {user}
plugin.rabbitmq.pool.1.password = {password}
factsource = yaml
plugin.yaml = {facts}
plugin.execute_shell_command.timeout = {timeout}
"""

PROGRAM = """\
#!/bin/sh
# What the installed program would be: this tree's, told where the test wants its directories.
{{ env; echo "cwd=$(pwd)"; echo "stdin=$(stat --dereference --format '%F, %s bytes' /dev/stdin)"; }} > {seen}
PYTHONPATH={tree} exec {python} -m fuel_image --work-dir {work} --cache-dir {cache} --log-file {log} "$@"
"""


@dataclass(frozen=True)
class Attempt:
    """What came back of one attempt at a command."""

    exit_code: int
    stdout: bytes
    stderr: bytes

    @property
    def said(self) -> str:
        return self.stderr.decode("utf-8")


@dataclass(frozen=True)
class Master:
    """Where the agent runs."""

    directory: Path
    timeout_seconds: int

    @property
    def seen(self) -> dict[str, str]:
        """What fuel-image found around it when it was started last; nothing if it never was."""
        path = self.directory / "seen"
        pairs = (line.partition("=") for line in path.read_text().splitlines()) if path.exists() else ()
        return {name: value for name, _, value in pairs}

    @property
    def log(self) -> str:
        """What the program wrote into its log."""
        path = self.directory / "fuel-image.log"
        return path.read_text() if path.exists() else ""

    def call(self, command: str, retries: int = 1) -> list[Attempt | None]:
        """Run *command* as the caller does; return its attempts, None for one that nobody answered in time."""
        hook = {"cmd": command, "retries": retries, "interval": 1, "timeout": self.timeout_seconds}
        ended = subprocess.run(
            ["ruby", str(HERE / "caller.rb"), str(self.directory / "mcollective.cfg")],
            input=json.dumps(hook),
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
        return [None if one is None else _attempt(one) for one in json.loads(ended.stdout)]


def _attempt(answer: dict[str, object]) -> Attempt:
    stdout, stderr = (base64.b64decode(str(answer[name])) for name in ("stdout", "stderr"))
    return Attempt(int(str(answer["exit_code"])), stdout, stderr)


@contextmanager
def master(directory: Path, port: int, cache_dir: Path, timeout_seconds: int = PATIENCE_SECONDS) -> Iterator[Master]:
    """Run mcollectived with the agent; what it is given finds ``fuel-image`` in /usr/bin.

    It is there for mcollectived and its children only: an overlay in their mount namespace.
    """
    programs = directory / "bin"
    programs.mkdir()
    (directory / "facts.yaml").write_text("{}\n")
    (directory / "mcollective.cfg").write_text(
        CONFIGURATION.format(
            identity=directory.name,  # several may listen to one middleware
            plugins=HERE / "plugins",
            port=port,
            user=USER,
            password=PASSWORD,
            facts=directory / "facts.yaml",
            timeout=timeout_seconds,
        )
    )
    (programs / "fuel-image").write_text(
        PROGRAM.format(
            seen=directory / "seen",
            tree=Path(fuel_image.__file__).parents[1],
            python=sys.executable,
            work=directory / "work",
            cache=cache_dir,
            log=directory / "fuel-image.log",
        )
    )
    (programs / "fuel-image").chmod(0o755)
    overlay = f"mount -t overlay -o lowerdir={programs}:/usr/bin overlay /usr/bin"
    start = f"{overlay} && exec mcollectived --config {directory}/mcollective.cfg"
    log = directory / "mcollectived.log"
    with running(["sh", "-c", start], {"PATH": SYSTEM_PATH}, log):
        _answers(Master(directory, timeout_seconds=2), log)
        yield Master(directory, timeout_seconds)


def _answers(one: Master, log: Path) -> None:
    deadline = time.monotonic() + 120
    while one.call("true", retries=0) == [None]:
        assert time.monotonic() < deadline, log.read_text()
