"""The dates of the Release files that this host has seen.

Owns one file for each address of a repository below the cache directory, with the date of the newest Release that was
proven there by its signature: an older one later is a mirror that lags, or somebody who replays what was signed once.
Without the files, or with damaged ones, a build is the same; it only does not notice that. It must not fetch.
"""

from __future__ import annotations

import hashlib
import logging
import re
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from fuel_image.archive.release import OutdatedError, when
from fuel_image.archive.repositories import suite_path
from fuel_image.host.files import appearing, locked
from fuel_image.request import Repository

LOG = logging.getLogger(__name__)

_DATE = re.compile(r"[0-9]{1,12}")


@dataclass(frozen=True)
class Seen:
    """What was seen, below *directory*; safe for builds that run at the same time."""

    directory: Path

    def judge(self, requested: Repository, date: int) -> None:
        """Remember that a Release of *date* (seconds since the epoch) was proven; raise OutdatedError for an old one.

        A repository is known by the address of each of its mirrors, so that a mirror more or less makes no new one.
        """
        # A date that is still to come, of an archive whose clock was wrong, must not make all later ones old.
        known, newest = min(date, int(time.time())), 0
        files = self._files(requested)
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            with locked(self.directory):
                newest = max(map(_read, files))
                for path, text in files.items():
                    with appearing(path) as file:  # again, if only to be the last that is thrown away
                        file.write(f"{max(newest, known)}\n{text}\n".encode())
        except OSError as error:
            LOG.warning("remembering the date of the Release of %s: %s", requested.name, error)
        if newest > date:
            raise OutdatedError(
                f"reading the Release of {requested.name}: it is of {when(date)}, and one of {when(newest)} was seen "
                "here before",
                advice="a mirror may lag, or somebody may replay an old state: try again later, or another mirror; if "
                f"an old state is what you want, remove {' and '.join(map(str, files))}",
            )

    def _files(self, requested: Repository) -> dict[Path, str]:
        """Return for each mirror its file, and what it is about, without credentials."""
        splits = [urlsplit(uri) for uri in requested.uris]
        plain = [split._replace(netloc=split.netloc.rpartition("@")[2]).geturl() for split in splits]
        texts = [f"{uri} {suite_path(requested)}" for uri in plain]
        return {self.directory / hashlib.sha256(text.encode()).hexdigest(): text for text in texts}


def _read(path: Path) -> int:
    """Return the date in a file; 0 if there is none, or nothing that makes sense."""
    try:
        first = path.read_text(encoding="utf-8", errors="replace").partition("\n")[0]
    except FileNotFoundError:
        return 0
    return int(first) if _DATE.fullmatch(first) else 0
