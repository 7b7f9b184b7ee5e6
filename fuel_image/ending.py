"""How a run ends: done, failed, or interrupted.

Owns the way from an exception to one message and an exit code, the signals that end a build, and the process apart in
which one runs. Errors are logged here and nowhere else. It must not know what is run.
"""

from __future__ import annotations

import errno
import logging
import os
import signal
import threading
import traceback
from collections.abc import Callable
from types import FrameType

from fuel_image import errors, publish
from fuel_image.errors import FuelImageError, Interrupted
from fuel_image.host import memory, mounts, workspace
from fuel_image.host.namespaces import isolated, make_private

LOG = logging.getLogger(__name__)

_ADVICE = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), "free space, or give other directories"),
    **dict.fromkeys((errno.EROFS, errno.EIO), "check the disk, or give other directories"),
    **dict.fromkeys((errno.EACCES, errno.EPERM), "run as root, or give other directories"),
}
"""What to do about errors of the host, wherever they come up, by their number."""
_LOOK_AGAIN_SECONDS = 0.05
_INDIVISIBLE = (logging.__file__, mounts.__file__, workspace.__file__, publish.__file__)
"""What no signal breaks into.

logging takes its locks just before the block that lets them go: an exception between the two would leave the lock to
nobody, and every thread that logs would wait for ever. The others mount, remove and publish: what is released would
stay half of it, and the files of a set would be of two.
"""
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def guarded(body: Callable[[], int]) -> int:
    """Run *body*; turn what it raises into one message and an exit code."""
    killed_before = memory.programs_killed()
    try:
        return body()
    except BrokenPipeError:
        return errors.EXIT_FAILED
    except (Interrupted, KeyboardInterrupt) as error:  # the latter before signals are ours
        LOG.debug("%s", traceback.format_exc())
        interrupted = error if isinstance(error, Interrupted) else Interrupted(signal.SIGINT)
        LOG.error("%s", interrupted)
        return interrupted.exit_code
    except FuelImageError as error:
        LOG.debug("%s", traceback.format_exc())
        LOG.error("%s%s", error, _lack_of_memory(memory.programs_killed() - killed_before))
        return error.exit_code
    except OSError as error:
        if error.errno not in _ADVICE:
            return _defect(error)
        LOG.debug("%s", traceback.format_exc())
        place = f" {error.filename}" if error.filename else ""
        LOG.error("writing%s: %s\n  what to do: %s", place, error.strerror, _ADVICE[error.errno])
        return errors.EXIT_HOST_UNABLE
    except Exception as error:  # noqa: BLE001  (a defect of ours must still be one clear message)
        return _defect(error)


def _lack_of_memory(killed: int) -> str:
    """Say that it may be the cause: a program whose helper was killed tells of anything but that."""
    if not killed:
        return ""
    programs = "a program" if killed == 1 else f"{killed} programs"
    return f"\n  meanwhile the kernel ended {programs} for lack of memory (dmesg tells which): that may be the cause"


def _defect(error: Exception) -> int:
    LOG.debug("%s", traceback.format_exc())
    LOG.error(
        "a defect of fuel-image: %s: %s\n  what to do: report it, with the --log-file", type(error).__name__, error
    )
    return errors.EXIT_FAILED


def apart(body: Callable[[], int]) -> int:
    """Run *body* in namespaces of its own, in a process that tidies up when it is interrupted."""

    def first() -> int:
        make_private()
        for number in _SIGNALS:
            if signal.getsignal(number) != signal.SIG_IGN:  # nohup stays nohup
                signal.signal(number, _interrupt)
        return body()

    return isolated(lambda: guarded(first))


def _interrupt(number: int, frame: FrameType | None) -> None:
    if _is_indivisible(frame):
        threading.Timer(_LOOK_AGAIN_SECONDS, os.kill, (os.getpid(), number)).start()
        return
    for other in _SIGNALS:
        signal.signal(other, signal.SIG_IGN)  # nothing may interrupt the tidying
    raise Interrupted(number)


def _is_indivisible(frame: FrameType | None) -> bool:
    """Tell whether a function of those modules is being run."""
    while frame is not None:
        if frame.f_code.co_filename in _INDIVISIBLE:
            return True
        frame = frame.f_back
    return False
