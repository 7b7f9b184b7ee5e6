"""What a person sees while a build runs.

Owns the steps of a build: their names, their times, and how they are shown. On a terminal a live line tells the
current step with its time, bytes and items; elsewhere each finished step is one short line in the log. It must not
know what the steps do. ``step`` is the only thing that other modules call, besides ``advance`` on what it gives them.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from fuel_image.printable import legible

LOG = logging.getLogger(__name__)

_REFRESHES_PER_SECOND = 8
_MEGABYTE = 1_000_000


@dataclass
class Step:
    """One step under way; ``advance`` may be called from any thread."""

    title: str
    total_bytes: int = 0
    done_bytes: int = 0
    total_items: int = 0
    done_items: int = 0
    started: float = field(default_factory=time.monotonic)
    seconds: float = 0.0
    depth: int = 0
    thread: threading.Thread = field(default_factory=threading.current_thread, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def advance(self, size_bytes: int) -> None:
        """Note that *size_bytes* more are done (negative when a transfer has to start over)."""
        with self._lock:
            self.done_bytes += size_bytes

    def advance_items(self, count: int = 1) -> None:
        """Note that *count* more items, such as packages, are done."""
        with self._lock:
            self.done_items += count

    def __rich__(self) -> str:
        seconds = self.seconds or time.monotonic() - self.started
        amount = ""
        if self.total_bytes:
            amount = f"  {self.done_bytes / _MEGABYTE:,.0f} of {self.total_bytes / _MEGABYTE:,.0f} MB"
        elif self.done_bytes:
            amount = f"  {self.done_bytes / _MEGABYTE:,.0f} MB"
        if self.total_items:
            amount += f"  {self.done_items} of {self.total_items}"
        return f"{'  ' * self.depth}[cyan]{self.title}[/cyan]{amount}  [dim]{seconds:.1f} s[/dim]"


class _Record:
    """The steps of this process: one build runs in it."""

    def __init__(self) -> None:
        self.open: list[Step] = []
        self.finished: list[Step] = []
        self.live: _Live | None = None

    def __rich__(self) -> str:
        return "\n".join(step.__rich__() for step in self.open)


class _Live:
    """The live lines on a terminal; rich is imported only where there is one."""

    def __init__(self, record: _Record) -> None:
        from rich.console import Console
        from rich.live import Live

        self.console = Console(stderr=True, highlight=False)
        self.display = Live(record, console=self.console, refresh_per_second=_REFRESHES_PER_SECOND, transient=True)


_record = _Record()


@contextmanager
def shown(*, live: bool) -> Iterator[None]:
    """Show the steps of the block as they run, if *live* and standard error is a terminal."""
    if not (live and sys.stderr.isatty()):
        yield
        return
    _record.live = _Live(_record)
    try:
        with _record.live.display:
            yield
    finally:
        _record.live = None


@contextmanager
def paused() -> Iterator[None]:
    """Leave the terminal to somebody else for the length of the block."""
    live, _record.live = _record.live, None
    if live is not None:
        live.display.stop()
    try:
        yield
    finally:
        if live is not None:
            live.display.start()
        _record.live = live


@contextmanager
def step(title: str, *, total_items: int = 0) -> Iterator[Step]:
    """Name what the block does; when it ends well, log how long it took."""
    # What runs in a thread of its own runs beside a step of the main one, whichever of them began first.
    thread = threading.current_thread()
    above = sum(1 for one in tuple(_record.open) if one.thread is thread)
    depth = above + (thread is not threading.main_thread())
    current = Step(title, total_items=total_items, depth=depth, thread=thread)
    _record.open.append(current)
    LOG.debug("%s ...", title)
    try:
        yield current
    finally:
        current.seconds = time.monotonic() - current.started
        _record.open.remove(current)
        if sys.exc_info()[0] is None:
            _record.finished.append(current)
            LOG.info("%s%s: %.1f s", "  " * current.depth, title, current.seconds)


def finished_steps() -> tuple[Step, ...]:
    """Return the steps that ended well, outermost only; these follow one another."""
    return tuple(one for one in _record.finished if one.depth == 0)


def console_lines(text: str) -> None:
    """Print *text*, made fit to be shown, on standard error, above the live lines if there are any."""
    if _record.live is not None:
        _record.live.console.print(legible(text), markup=False, emoji=False)
    else:
        print(legible(text), file=sys.stderr, flush=True)
