"""The site's settings: what is set once for all builds of a host.

Owns the configuration file, what is wrong in it, the typed settings that come of it, and where each value comes from.
The settings, their defaults and their meaning are in ``settings.schema.json``. It must not know what a setting does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fuel_image import plain
from fuel_image.document import SETTINGS, odd_strings, schema, shape_problems, shown, unknown_keys
from fuel_image.errors import Problem, SettingsError
from fuel_image.request import Proxies, Request, proxies_from, proxy_problems
from fuel_image.sizes import size_bytes

FILE = Path("/etc/fuel-image/fuel-image.yaml")
_SIZES = {"layers_limit": 0, "packages_limit": 0, "bandwidth_limit": 64 << 10}
"""The settings that are sizes, and the least that each may be, in bytes."""
_LIMIT_BYTES = 1 << 20
_CLUSTER = re.compile(r"env_(\d+)_")


@dataclass(frozen=True)
class Setting:
    """A value as it is written, and where it comes from."""

    value: Any
    origin: str


@dataclass(frozen=True)
class Settings:
    """What holds for every build. *bandwidth_limit_bytes* is for a second; None in any of them sets no limit."""

    work_dir: Path
    cache_dir: Path
    layers_limit_bytes: int
    packages_limit_bytes: int
    proxies: Proxies
    keyrings: tuple[Path, ...]
    cpus: int | None
    connections: int
    bandwidth_limit_bytes: int | None
    redirects: tuple[str, ...]
    script_limit_seconds: int
    log_file: str | None
    hooks: Mapping[str, tuple[str, ...]]


def effective(file: Path | None, options: Mapping[str, Any]) -> dict[str, Setting]:
    """Return every setting: from *options*, where one is not None, else from the file, else its default.

    *options* are those of the command line by the name of the setting. *file* None means ``FILE``, which need not be
    there. Raises SettingsError with every problem found.
    """
    rules = schema(SETTINGS)["properties"]
    written = _read(file or FILE, required=file is not None)
    found = {name: Setting(rule["default"], "default") for name, rule in rules.items()}
    found.update({name: Setting(value, str(file or FILE)) for name, value in written.items()})
    given = {name: value for name, value in options.items() if value is not None}
    found.update({name: Setting(value, f"--{name.replace('_', '-')}") for name, value in given.items()})
    return found


def _read(file: Path, *, required: bool) -> dict[str, Any]:
    try:
        with file.open("rb") as opened:
            content = opened.read(_LIMIT_BYTES + 1)
        if len(content) > _LIMIT_BYTES:
            raise ValueError(f"longer than {_LIMIT_BYTES:,} bytes")
        written = plain.load(content.decode("utf-8"))
    except FileNotFoundError:
        if not required:
            return {}
        raise SettingsError(file, [Problem("$", "there is no such file")]) from None
    except OSError as error:
        raise SettingsError(file, [Problem("$", f"it cannot be read: {error.strerror}")]) from None
    except ValueError as error:
        raise SettingsError(file, [Problem("$", f"not YAML: {' '.join(str(error).split())}")]) from None
    written = {} if written is None else written
    problems = shape_problems(written, schema(SETTINGS)) or list(_meaning_problems(written))
    if problems:
        raise SettingsError(file, problems)
    return dict(written)


def _meaning_problems(written: dict[str, Any]) -> Iterator[Problem]:
    for path, message in unknown_keys(written, schema(SETTINGS), "$"):
        yield Problem(path, message)
    yield from odd_strings(written, "$")
    for name, least in _SIZES.items():
        value = written.get(name)
        size = None if value is None else size_bytes(value)
        if value is not None and (size is None or size < least):
            form = f"must be a size of at least {least} bytes" if least else "must be a size"
            yield Problem(f"$.{name}", f"{form}: bytes, or such as 20GiB, not {shown(value)}")
    yield from proxy_problems(written.get("proxies", {}))
    unknown = set(re.findall(r"{[^}]*}?", written.get("log_file") or "")) - {"{name}", "{cluster}"}
    if unknown:
        yield Problem("$.log_file", f"{' and '.join(sorted(unknown))} means nothing here; {{name}} and {{cluster}} do")


def typed(found: Mapping[str, Setting]) -> Settings:
    """Return the settings with types."""
    value = {name: setting.value for name, setting in found.items()}
    bandwidth = value["bandwidth_limit"]
    return Settings(
        work_dir=Path(value["work_dir"]).absolute(),
        cache_dir=Path(value["cache_dir"]).absolute(),
        layers_limit_bytes=size_bytes(value["layers_limit"]) or 0,
        packages_limit_bytes=size_bytes(value["packages_limit"]) or 0,
        proxies=proxies_from(value["proxies"]),
        keyrings=tuple(Path(one) for one in value["keyrings"]),
        cpus=None if value["cpus"] is None else int(value["cpus"]),
        connections=int(value["connections"]),
        bandwidth_limit_bytes=None if bandwidth is None else size_bytes(bandwidth),
        redirects=tuple(value["redirects"]),
        script_limit_seconds=int(value["script_limit"]),
        log_file=value["log_file"],
        hooks={event: tuple(programs) for event, programs in value["hooks"].items()},
    )


def log_path(pattern: str | None, request: Request | None) -> Path | None:
    """Return the log file of a request's build; None if there is none, or if it takes a request to name it."""
    if pattern is None or (request is None and "{" in pattern):
        return None
    if request is None:
        return Path(pattern)
    name = request.metadata_filename.removesuffix(".yaml")
    cluster = _CLUSTER.match(name)
    return Path(pattern.replace("{name}", name).replace("{cluster}", cluster[1] if cluster else name))
