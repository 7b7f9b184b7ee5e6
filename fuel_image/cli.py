"""The command line: the only entry of the program.

Owns the arguments, the log, the signals, the exit codes and what is printed. It must not know how anything is done.
"""

from __future__ import annotations

import argparse
import errno
import logging
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType

from fuel_image import __version__, build, document, errors, plan, progress, request, sample
from fuel_image.errors import FuelImageError, Interrupted, Problem, RequestError
from fuel_image.host.namespaces import isolated, make_private

LOG = logging.getLogger(__name__)

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_BROKEN_DISK = (errno.EROFS, errno.EIO)

WORK_DIR = Path("/var/lib/fuel-image")
CACHE_DIR = Path("/var/cache/fuel-image")

_DESCRIPTION = """\
Build the file-system images of a machine from package repositories.

REQUEST is JSON text, or the path of a file that holds it (PATH or @PATH), or - for standard input:

  {"image_data": {"/boot": {"uri": "http://10.0.0.1/node-boot.img.gz", "format": "ext2", "container": "gzip"},
                  "/":     {"uri": "http://10.0.0.1/node.img.gz",      "format": "ext4", "container": "gzip"}},
   "output": "/var/www/images",
   "repos": [{"name": "base", "uri": "http://mirror.example.org/ubuntu", "suite": "noble", "section": "main universe"}],
   "codename": "noble"}

One compressed image for each mount point and a metadata file (node.yaml) appear in output.
"""
_EPILOG = """\
commands:
  fuel-image sample [--suite NAME]   print a working request for the release and mirror of this host
  fuel-image schema                  print the JSON schema of a request
  fuel-image cache explain REQUEST   say which kept layers a build would use, and why not the others

exit codes:
  0  done                                1  the build failed
  2  the request is bad                  3  this host is not able (a tool, a privilege or space is missing)
  129, 130, 143  interrupted by SIGHUP, SIGINT, SIGTERM

example:
  fuel-image sample > request.json && fuel-image request.json
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program and return its exit code."""
    argv = list(sys.argv[1:] if arguments is None else arguments)
    _utf8_streams()
    _set_up_log()
    if argv[:1] == ["sample"]:
        return _guarded(lambda: _sample(argv[1:]))
    if argv[:1] == ["schema"]:
        return _guarded(_schema)
    if argv[:2] == ["cache", "explain"]:
        return _guarded(lambda: _explain(argv[2:]))
    return _guarded(lambda: _build(argv))


def _utf8_streams() -> None:
    """Write UTF-8 whatever the locale: callers serialise what we say."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")


def _guarded(body: Callable[[], int]) -> int:
    """Run *body*; turn what it raises into one message and an exit code. Errors are logged here and nowhere else."""
    try:
        return body()
    except BrokenPipeError:
        return errors.EXIT_FAILED
    except (FuelImageError, Interrupted) as error:
        LOG.debug("%s", traceback.format_exc())
        LOG.error("%s", error)
        return error.exit_code
    except OSError as error:
        if error.errno not in (*_NO_ROOM, *_BROKEN_DISK):
            return _defect(error)
        LOG.debug("%s", traceback.format_exc())
        place = f" {error.filename}" if error.filename else ""
        advice = "free space" if error.errno in _NO_ROOM else "check the disk"
        LOG.error("writing%s: %s\n  what to do: %s, or give other directories", place, error.strerror, advice)
        return errors.EXIT_HOST_UNABLE
    except KeyboardInterrupt:
        return Interrupted(signal.SIGINT).exit_code
    except Exception as error:  # noqa: BLE001  (a defect of ours must still be one clear message)
        return _defect(error)


def _defect(error: Exception) -> int:
    LOG.debug("%s", traceback.format_exc())
    LOG.error(
        "a defect of fuel-image: %s: %s\n  what to do: report it, with the --log-file", type(error).__name__, error
    )
    return errors.EXIT_FAILED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="fuel-image",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("request", metavar="REQUEST", help="JSON text, PATH, @PATH or -")
    parser.add_argument("--dry-run", action="store_true", help="print the plan and do nothing")
    parser.add_argument("--strict", action="store_true", help="make unknown keys in the request errors")
    parser.add_argument("--force", action="store_true", help="build even if the same set is there already")
    parser.add_argument("--work-dir", type=Path, default=WORK_DIR, metavar="DIR", help="where to work (%(default)s)")
    parser.add_argument("--cache-dir", type=Path, default=CACHE_DIR, metavar="DIR", help="what to keep (%(default)s)")
    parser.add_argument("--no-cache", action="store_true", help="make every layer anew; fetched files are used still")
    parser.add_argument("--log-file", type=Path, metavar="FILE", help="append everything to FILE")
    parser.add_argument("--quiet", action="store_true", help="say nothing but warnings and errors")
    parser.add_argument("--version", action="version", version=f"fuel-image {__version__}")
    return parser


def _build(argv: Sequence[str]) -> int:
    options = _parser().parse_args(argv)
    planned = _planned(options)
    if options.dry_run:
        print(plan.described(planned))
        return errors.EXIT_DONE

    def body() -> int:
        with progress.shown(live=not options.quiet):
            built = build.build(planned, _places(options))
        if not options.quiet:
            progress.console_lines(_summary(built) if isinstance(built, build.Built) else str(built))
        return errors.EXIT_DONE

    return _alone(body)


def _explain(argv: Sequence[str]) -> int:
    options = _parser().parse_args(argv)
    planned = _planned(options)

    def body() -> int:
        with progress.shown(live=not options.quiet):
            lines = build.explain(planned, _places(options))
        print("\n".join(lines))
        return errors.EXIT_DONE

    return _alone(body)


def _planned(options: argparse.Namespace) -> plan.Plan:
    _log_to(options.log_file, quiet=options.quiet)
    return plan.make(request.parse(_request_text(options.request), strict=options.strict))


def _places(options: argparse.Namespace) -> build.Places:
    return build.Places(
        options.work_dir.absolute(), options.cache_dir.absolute(), not options.no_cache, not options.force
    )


def _alone(body: Callable[[], int]) -> int:
    """Run *body* in namespaces of its own, in a process that tidies up when it is interrupted."""

    def guarded() -> int:
        make_private()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) != signal.SIG_IGN:  # nohup stays nohup
                signal.signal(number, _interrupt)
        return body()

    return isolated(lambda: _guarded(guarded))


def _interrupt(number: int, _frame: FrameType | None) -> None:
    for other in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(other, signal.SIG_IGN)  # nothing may interrupt the tidying
    raise Interrupted(number)


def _set_up_log() -> None:
    logging.raiseExceptions = False  # a full disk under the log file is no reason for a traceback
    root = logging.getLogger()
    root.setLevel(logging.DEBUG)
    for noisy in ("urllib3", "sh", "requests", "charset_normalizer"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    root.handlers = [_ConsoleHandler(logging.INFO)]


def _log_to(log_file: Path | None, *, quiet: bool) -> None:
    root = logging.getLogger()
    if quiet:
        root.handlers[0].setLevel(logging.WARNING)
    if log_file is not None:
        try:
            file = logging.FileHandler(log_file, encoding="utf-8", errors="backslashreplace")
        except OSError as error:
            raise errors.HostError(f"opening the log file {log_file}: {error.strerror}") from error
        file.setFormatter(_Redacting("%(asctime)s %(levelname)s %(name)s %(message)s", "%Y-%m-%d %H:%M:%S"))
        root.addHandler(file)


class _Redacting(logging.Formatter):
    """Takes the credentials out of every URL, whoever logged it."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        return errors.redact(super().format(record))


class _ConsoleHandler(logging.Handler):
    """Prints records above the live lines."""

    def emit(self, record: logging.LogRecord) -> None:
        level = "" if record.levelno < logging.WARNING else f"fuel-image: {record.levelname.lower()}: "
        progress.console_lines(level + errors.redact(record.getMessage()))


def _request_text(given: str) -> str:
    """Return the JSON text that the argument is or names. Raises RequestError."""
    if given.lstrip()[:1] in ("{", "["):
        return given
    path = given[1:] if given.startswith("@") else given
    try:
        content = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
    except (OSError, ValueError, AttributeError) as error:  # a NUL in the path; a standard input that is closed
        message = f"neither JSON text nor a file that can be read: {given[:80]} ({getattr(error, 'strerror', error)})"
        raise RequestError([Problem("REQUEST", message)]) from None
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise RequestError([Problem("REQUEST", f"not UTF-8 at byte {error.start}")]) from None


def _summary(built: build.Built) -> str:
    rows = [("image", "mount", "file system", "container", "size", "raw size")]
    for one in built.artifacts:
        rows.append(
            (
                one.filename,
                one.mount,
                one.format,
                one.container,
                _megabytes(one.packed.size_bytes),
                _megabytes(one.raw.size_bytes),
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]
    steps = progress.finished_steps()
    total = max(one.started + one.seconds for one in steps) - steps[0].started
    lines.append("")
    lines += [f"{one.seconds:7.1f} s  {one.seconds / total if total else 0:4.0%}  {one.title}" for one in steps]
    lines.append(f"{total:7.1f} s  in all; {built.installed} packages installed")
    lines.append(f"metadata: {built.metadata}")
    return "\n".join(["", *lines])


def _megabytes(size_bytes: int) -> str:
    return f"{size_bytes / 1_000_000:,.1f} MB"


def _sample(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="fuel-image sample", description="Print a working request.")
    parser.add_argument(
        "--suite", metavar="NAME", help="the release (default: the one of this host's apt configuration)"
    )
    parser.add_argument(
        "--output", metavar="DIR", default="/var/www/nailgun/targetimages", help="the output (%(default)s)"
    )
    options = parser.parse_args(argv)
    print(sample.sample(options.suite, options.output))
    return errors.EXIT_DONE


def _schema() -> int:
    print(document.schema_text(), end="")
    return errors.EXIT_DONE
