"""The monitor of a running machine: QEMU's machine protocol (QMP).

Owns the few commands that are given, and waiting for their answers. It must not know why they are given.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
from pathlib import Path
from typing import Any

from fuel_image.errors import BuildError

_PATIENCE_SECONDS = 60.0
_LONGEST_ANSWER_BYTES = 1 << 20


class Monitor:
    """The monitor on a *connection* that is somebody else's to close. Raises BuildError when the machine refuses."""

    def __init__(self, connection: socket.socket) -> None:
        connection.settimeout(_PATIENCE_SECONDS)
        self._file = connection.makefile("rwb")
        self._answer()  # the greeting
        self._execute("qmp_capabilities")

    def go(self) -> None:
        """Let a machine begin that waits for it."""
        self._execute("cont")

    def write_screen(self, file: Path) -> None:
        """Write what is on the screen as a PNG (QEMU 7.1)."""
        self._execute("screendump", filename=os.fspath(file), format="png")

    def quit(self) -> None:
        """End the machine as if its power went; it may have ended before."""
        with contextlib.suppress(BuildError):
            self._execute("quit")

    def _execute(self, command: str, **arguments: str) -> None:
        sent = json.dumps({"execute": command, "arguments": arguments}).encode() + b"\n"
        while True:
            answer = self._answer(sent)
            sent = b""
            if "error" in answer:
                raise BuildError(f"asking the machine for {command}: {answer['error'].get('desc')}")
            if "return" in answer:  # all else are events
                return

    def _answer(self, sent: bytes = b"") -> Any:
        """Send something, and return the next thing that comes."""
        try:
            self._file.write(sent)
            self._file.flush()
            return json.loads(self._file.readline(_LONGEST_ANSWER_BYTES))
        except (OSError, ValueError) as error:  # nothing, where it ended
            raise BuildError(f"asking the machine: {error if isinstance(error, OSError) else 'it is gone'}") from error
