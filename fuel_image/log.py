"""The log: what is said on the console and what goes into the file.

Owns the handlers and the form of their lines. Everything is redacted here, and made fit to be shown, whoever said it.
Every line of the file begins with its time, since Astute's watcher and others read it line by line. It must not say
anything.
"""

from __future__ import annotations

import logging
import logging.handlers
from pathlib import Path

from fuel_image import progress
from fuel_image.errors import HostError, redact
from fuel_image.printable import legible

_NOISY = ("urllib3", "sh", "requests", "charset_normalizer")
_HELD_BACK = 10_000


class _Console(logging.Handler):
    """Prints records above the live lines."""

    def emit(self, record: logging.LogRecord) -> None:
        level = "" if record.levelno < logging.WARNING else f"fuel-image: {record.levelname.lower()}: "
        progress.console_lines(level + redact(record.getMessage()))


class _File(logging.Formatter):
    """Begins each line of a message, of which it may have several, with the time."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the lines."""
        time = self.formatTime(record, "%Y-%m-%d %H:%M:%S")
        head = f"{time} {record.levelname} {record.name} "
        return "\n".join(head + line for line in legible(redact(record.getMessage())).split("\n"))


def set_up() -> None:
    """Say on the console what is more than detail; hold everything back for a file that may be named later."""
    logging.raiseExceptions = False  # a full disk under the log file is no reason for a traceback
    root = logging.getLogger()
    root.setLevel(logging.DEBUG)
    for name in _NOISY:
        logging.getLogger(name).setLevel(logging.WARNING)
    console = _Console(logging.INFO)
    root.handlers = [console, logging.handlers.MemoryHandler(_HELD_BACK, flushLevel=logging.CRITICAL + 1)]


def quiet() -> None:
    """Say nothing on the console but warnings and errors."""
    logging.getLogger().handlers[0].setLevel(logging.WARNING)


def to_file(path: Path | None) -> None:
    """Append everything to a file, what was held back first; without one hold nothing back. Raises HostError."""
    root = logging.getLogger()
    held = next(one for one in root.handlers if isinstance(one, logging.handlers.MemoryHandler))
    if path is not None:
        try:
            file = logging.FileHandler(path, encoding="utf-8", errors="backslashreplace")
        except OSError as error:
            raise HostError(
                f"opening the log file {path}: {error.strerror}", advice="give another --log-file"
            ) from error
        file.setFormatter(_File())
        held.setTarget(file)
        root.addHandler(file)
    held.close()
    root.removeHandler(held)
