"""The middleware: a RabbitMQ on loopback, with what MCollective's connector for it expects there."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .daemons import SYSTEM_PATH, free_ports, running

USER, PASSWORD = "mcollective", "secret"
STARTED = "Server startup complete"
START_SECONDS = 120

CONFIGURATION = """\
listeners.tcp = none
stomp.listeners.tcp.1 = 127.0.0.1:{port}
load_definitions = {definitions}
log.console = true
log.file = false
"""


def definitions() -> str:
    exchanges = {"mcollective_broadcast": "topic", "mcollective_directed": "direct"}
    attributes = {"vhost": "/", "durable": True, "auto_delete": False, "arguments": {}}
    rights = {"vhost": "/", "configure": ".*", "write": ".*", "read": ".*"}
    return json.dumps(
        {
            "vhosts": [{"name": "/"}],
            "users": [{"name": USER, "password": PASSWORD, "tags": []}],
            "permissions": [{"user": USER, **rights}],
            "exchanges": [{"name": name, "type": kind, **attributes} for name, kind in exchanges.items()],
        }
    )


@contextmanager
def middleware(directory: Path) -> Iterator[int]:
    """Run a RabbitMQ that keeps everything in *directory*; give its port for STOMP."""
    stomp, distribution, epmd = free_ports(3)
    settings = CONFIGURATION.format(port=stomp, definitions=directory / "definitions.json")
    (directory / "definitions.json").write_text(definitions())
    (directory / "rabbitmq.conf").write_text(settings)
    (directory / "enabled_plugins").write_text("[rabbitmq_stomp].\n")
    environment = {
        "PATH": SYSTEM_PATH,
        "HOME": str(directory),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "ERL_EPMD_PORT": str(epmd),
        "RABBITMQ_CONFIG_FILE": str(directory / "rabbitmq.conf"),
        "RABBITMQ_CONF_ENV_FILE": "/dev/null",
        "RABBITMQ_DIST_PORT": str(distribution),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(directory / "enabled_plugins"),
        "RABBITMQ_LOG_BASE": str(directory),
        "RABBITMQ_MNESIA_BASE": str(directory / "mnesia"),
        "RABBITMQ_NODENAME": "caller@localhost",
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
    }
    log = directory / "rabbitmq.log"
    # The program itself: what Debian puts on the PATH becomes another user.
    with running(["/usr/lib/rabbitmq/bin/rabbitmq-server"], environment, log):
        deadline = time.monotonic() + START_SECONDS
        while STARTED not in log.read_text(errors="replace"):
            assert time.monotonic() < deadline, log.read_text(errors="replace")
            time.sleep(0.2)
        yield stomp
