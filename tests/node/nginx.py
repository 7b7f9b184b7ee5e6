"""A real nginx on loopback, as it serves a deployment's images."""

from __future__ import annotations

import grp
import pwd
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

START_SECONDS = 20
USER = pwd.getpwnam("nobody")
START = 'mount --bind "$1" /mnt; exec setpriv --pdeathsig TERM nginx -c "$2"'
CONFIGURATION = """\
daemon off;
worker_processes 1;
user {user} {group};
pid {state}/pid;
error_log stderr;
events {{}}
http {{
    access_log {state}/access.log;
    client_body_temp_path {state}/body;
    fastcgi_temp_path {state}/fastcgi;
    proxy_temp_path {state}/proxy;
    scgi_temp_path {state}/scgi;
    uwsgi_temp_path {state}/uwsgi;
    server {{
        listen 127.0.0.1:{port};
        location /targetimages/ {{ alias /mnt/; }}
    }}
}}
"""


@contextmanager
def serving(output: Path, state: Path) -> Iterator[str]:
    """Serve the files of *output* as a user to whom they do not belong; give the URL that they are below.

    That user may not be able to reach the directories of a test: so it is bound to another place, for nginx alone.
    """
    state.mkdir()
    port = _free_port()
    group = grp.getgrgid(USER.pw_gid).gr_name
    (state / "conf").write_text(CONFIGURATION.format(user=USER.pw_name, group=group, state=state, port=port))
    argv = ["unshare", "--mount", "--propagation", "private", "sh", "-euc", START, "sh"]
    with (state / "error.log").open("w") as errors:
        server = subprocess.Popen([*argv, str(output), str(state / "conf")], stdin=subprocess.DEVNULL, stderr=errors)
    try:
        _wait_for(port, server)
        yield f"http://127.0.0.1:{port}/targetimages"
    finally:
        server.terminate()
        server.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except ConnectionRefusedError:
            assert server.poll() is None and time.monotonic() < deadline, "nginx does not start: see its error.log"
            time.sleep(0.05)
