"""What a machine says on its serial console.

Owns the way from its bytes to lines that may be shown, and what is recognised in them: a login prompt, which has no end
of line, a unit that systemd says has failed, the machine's report of itself, and what no machine comes back from.
However much is said, a few lines are kept. It must not decide what follows.
"""

from __future__ import annotations

import codecs
import collections
import re
from collections.abc import Callable

from fuel_image.machine.report import Report, parsed
from fuel_image.printable import legible

TAIL_LINES = 20
_MOST_FAILURES = 20
_LONGEST_LINE = 4000
_SEQUENCE = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[PX^_][^\x1b]*\x1b\\|[ -/]+[0-~]|[0-OQ-WYZ\\`-~])"
)
"""What moves the cursor or colours the text (ECMA-48, xterm's control sequences)."""
_BEGUN = re.compile(r"\x1b(?:\[[0-?]{0,64}[ -/]{0,8}|[\]PX^_][^\x07\x1b\r\n]{0,256}\x1b?|[ -/]{0,8})\Z")
"""The beginning of one, at the end of a text."""
_BREAKS = re.compile("[\r\n]+")
_PROMPT = re.compile(r"(?!Last )[\w.-]+ login: ")
"""As getty writes it after the host's name; ``Last login:`` is what a shell says."""
_FAILED = re.compile(r"\[FAILED\] +(.*)")
_HOPELESS = (
    "Kernel panic - not syncing",
    "(initramfs) ",
    "You are in emergency mode",
    "grub rescue> ",
    "grub> ",
    "No bootable option or device was found",
    "UEFI Interactive Shell",
)
"""What a machine says last when it does not start: what follows is for a person at the keyboard."""
_CLOUD_INIT = re.compile("cloud-init", re.IGNORECASE)


class Console:
    """What was said so far; *show* is given what may be shown, as it comes."""

    def __init__(self, show: Callable[[str], object]) -> None:
        self._show = show
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._held = ""
        self._line = ""
        self._at_start = True
        self._tail: collections.deque[str] = collections.deque(maxlen=TAIL_LINES)
        self.prompted = False
        self.failures: list[str] = []
        self.hopeless: str | None = None
        self.names_cloud_init = False
        self.report: Report | None = None

    @property
    def tail(self) -> tuple[str, ...]:
        """The last lines."""
        return (*self._tail, self._line) if self._line else tuple(self._tail)

    def feed(self, chunk: bytes) -> None:
        """Take in what came; characters and sequences may be cut anywhere."""
        text = self._without_sequences(self._held + self._decoder.decode(chunk))
        text = _BREAKS.sub("\n", text.replace("\0", ""))
        if self._at_start:
            text = text.lstrip("\n")  # of a line end in two pieces, and empty lines
        if not text:
            return
        self._at_start = text.endswith("\n")
        text = legible(text)
        self._show(text)
        *lines, rest = (self._line + text).split("\n")
        for line in lines:
            self._take(line[:_LONGEST_LINE])
        self._line = rest[-_LONGEST_LINE:]
        self._look_at(self._line)

    def finish(self) -> None:
        """End the last line, for what others say after it."""
        if not self._at_start:
            self._show("\n")
            self._at_start = True

    def _without_sequences(self, text: str) -> str:
        """Return the text that is none of a terminal's sequences, and keep for later what may become one."""
        text = _SEQUENCE.sub("", text)
        begun = _BEGUN.search(text)
        self._held = begun[0] if begun is not None else ""
        return text[: len(text) - len(self._held)]

    def _take(self, line: str) -> None:
        """Keep a line that is whole."""
        self._look_at(line)
        self._tail.append(line)
        failed = _FAILED.search(line)
        if failed is not None and len(self.failures) < _MOST_FAILURES:
            self.failures.append(failed[1].strip())
        if self.report is None:
            self.report = parsed(line)

    def _look_at(self, line: str) -> None:
        """Note what a line tells, which may be about to go on."""
        self.prompted = self.prompted or _PROMPT.match(line) is not None
        self.names_cloud_init = self.names_cloud_init or _CLOUD_INIT.search(line) is not None
        known = self.hopeless is not None and not line.startswith(self.hopeless)  # and not the same, gone on
        if not known and any(one in line for one in _HOPELESS):
            self.hopeless = line.rstrip()
