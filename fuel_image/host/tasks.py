"""Tasks: functions that run at once, in threads.

Owns what happens when one of them fails, or when the build is interrupted meanwhile: what has not begun never does,
what has is asked to stop, and nothing is left running. It must not know what they do.
"""

from __future__ import annotations

import concurrent.futures
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, Callable, TypeVar

_Result = TypeVar("_Result")


class Tasks:
    """The tasks of one ``with`` block of ``together``."""

    def __init__(self, executor: concurrent.futures.Executor) -> None:
        self._executor = executor
        self.futures: list[Future[Any]] = []

    def start(self, function: Callable[..., _Result], *arguments: Any) -> Future[_Result]:
        """Run *function* as soon as a thread is free."""
        future = self._executor.submit(function, *arguments)
        self.futures.append(future)
        return future


@contextmanager
def together(threads: int, *stops: Callable[[], object]) -> Iterator[Tasks]:
    """Give a way to start tasks, of which up to *threads* run at once; at the end of the block all are done.

    If one fails, or the block does, each of *stops* is called, which must make those that run end soon, and what failed
    first is raised.
    """
    with concurrent.futures.ThreadPoolExecutor(threads) as executor:
        tasks = Tasks(executor)
        try:
            yield tasks
            for future in concurrent.futures.as_completed(tasks.futures):
                future.result()
        except BaseException:
            for future in tasks.futures:
                future.cancel()
            for stop in stops:
                stop()
            raise
