"""The same request gives the same bytes.

Every build is a full one, without the layers of an earlier one, of a package that leaves what is seldom there, with the
same SOURCE_DATE_EPOCH. Images and metadata are compared by sha256sum.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Callable

import pytest

from tests.integration.conftest import PROGRAM, Fuel
from tests.integration.images import output_of

from . import oddities
from .conftest import Tried
from .mirror import Mirror

pytestmark = pytest.mark.xdist_group("reproducible")

IMAGES = {
    "/": ("ext4", "gzip"),
    "/boot": ("ext2", "zstd"),
    "/home": ("ext3", "xz"),
    "/srv/of/nobody": ("ext4", "raw"),
}
EPOCH = {"SOURCE_DATE_EPOCH": "1780000000"}
DISKS = {"xfs": ["mkfs.xfs", "-q"], "btrfs": ["mkfs.btrfs", "-q"], "ext4": ["mkfs.ext4", "-q", "-b", "1024"]}


@dataclass(frozen=True)
class Host:
    """What is other than on this host: the *environment*, and what a shell does before it starts the program.

    The shell is in mount and UTS namespaces of its own, so that what it mounts ends with it; /media and /mnt are there
    for that. ``$OWN``, or ``{own}``, is a directory of its own.
    """

    script: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    options: tuple[str, ...] = ()


def locale(name: str, **more: str) -> Host:
    return Host(environment={"LC_ALL": name, "LANG": name, "LANGUAGE": "de", **more})


def disk(kind: str, point: str, *directories: str) -> Host:
    """A host on which some directories are on a disk of another kind."""
    make = f'truncate -s 8G "$OWN/{kind}"; {" ".join(DISKS[kind])} "$OWN/{kind}"; mount -o loop "$OWN/{kind}" {point}'
    return Host(make, options=tuple(f"--{one}-dir={point}/{one}" for one in directories))


def changed(*lines: str) -> Host:
    """A host on which Python finds other things than here, as *lines* of it tell."""
    path = os.pathsep.join(["{own}", str(Path(__file__).parent.parent.parent)])
    script = "\n".join(f"echo '{line}' >> \"$OWN/sitecustomize.py\"" for line in lines)
    return Host(script, {"PYTHONPATH": path})


HOSTS = {
    "umask": Host("umask 0777"),
    "Turkish": locale("tr_TR.UTF-8"),
    "a locale that is none": locale("x_Y.KOI-9@z"),
    "ASCII": locale("C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0", PYTHONIOENCODING="ascii"),
    "time zone": Host(environment={"TZ": "Asia/Kathmandu"}),
    "order of sets": Host(environment={"PYTHONHASHSEED": "12345"}),
    "one CPU": Host('taskset --all-tasks --cpu-list --pid "$(taskset -cp $$ | sed "s/.*: //; s/[-,].*//")" $$'),
    "one CPU of the settings": Host('echo "cpus: 1" > "$OWN/settings"', options=("--config={own}/settings",)),
    "name": Host("echo elsewhere.example.org > /proc/sys/kernel/hostname"),
    "clock": changed("import time", "real = time.time", "time.time = lambda: real() + 4e7"),
    "little memory": changed("from fuel_image.host import memory", "memory.available_bytes = lambda: 0"),
    "environment": Host(
        environment=dict.fromkeys(("HOME", "TMPDIR", "PERL5LIB", "APT_CONFIG", "DPKG_ROOT", "CDPATH"), "/nowhere")
        | {"GZIP": "-9", "XZ_OPT": "-9", "ZSTD_CLEVEL": "19", "TAR_OPTIONS": "--totals", "POSIXLY_CORRECT": "1"}
        | {"E2FSPROGS_FAKE_TIME": "1", "MKE2FS_CONFIG": "{own}/mke2fs.conf", "VERSION_CONTROL": "numbered"}
    ),
    "configuration of tools": Host(
        'printf "[defaults]\\nblocksize = 1024\\ninode_size = 128\\nhash_alg = tea\\n" > "$OWN/mke2fs.conf"\n'
        '[ ! -e /etc/mke2fs.conf ] || mount --bind "$OWN/mke2fs.conf" /etc/mke2fs.conf'
    ),
    "open files": Host("ulimit -n 256"),
    "names of directories": Host(options=('--work-dir={own}/a "strange" name, with: \\ and \u00fc/work',)),
    "tmpfs": Host("mount -t tmpfs tmpfs /mnt", options=("--work-dir=/mnt/work", "--cache-dir=/mnt/cache")),
    "work on tmpfs": Host("mount -t tmpfs tmpfs /mnt", options=("--work-dir=/mnt/work",)),
    **{kind: disk(kind, "/mnt", "work", "cache") for kind in DISKS},
    "work on xfs": disk("xfs", "/mnt", "work"),
    "cache on btrfs": disk("btrfs", "/media", "cache"),
}
AT_ONCE = (
    *("umask", "ASCII", "time zone", "order of sets", "one CPU", "name", "clock", "environment"),
    *("little memory", "configuration of tools", "open files", "work on xfs", "cache on btrfs"),
)


def together(*hosts: Host) -> Host:
    environment = {name: value for one in hosts for name, value in one.environment.items()}
    return Host("\n".join(one.script for one in hosts), environment, tuple(o for one in hosts for o in one.options))


Build = Callable[[Host], dict[str, str]]


@pytest.fixture(scope="session")
def build(fuel: Fuel, mirror: Mirror, tmp_path_factory: pytest.TempPathFactory) -> Build:
    """Return what builds the set on a host and returns the digest of each file."""
    work = tmp_path_factory.mktemp("same")
    request = mirror.request(work / "output", packages=[oddities.NAME])
    request["repos"].append(oddities.made(work))
    request["image_data"] = {
        mount: {"uri": f"http://127.0.0.1/odd{mount.replace('/', '-')}.img", "format": kind, "container": container}
        for mount, (kind, container) in IMAGES.items()
    }

    def built(host: Host) -> dict[str, str]:
        with TemporaryDirectory(dir=work) as own:
            environment = {name: value.format(own=own) for name, value in host.environment.items()}
            options = [option.format(own=own) for option in host.options]
            shell = ["unshare", "--mount", "--uts", "sh", "-euc", f'{host.script}\nexec "$@"', "sh"]
            environment = {**os.environ, **EPOCH, **environment, "OWN": own}
            fuel(request, "--force", "--no-cache", *options, program=[*shell, *PROGRAM], env=environment)
        files = sorted((work / "output").iterdir())
        assert len(files) == len(IMAGES) + 1
        return {path.name: output_of("sha256sum", path).split()[0] for path in files}

    return built


@pytest.fixture(scope="session")
def first(build: Build) -> dict[str, str]:
    return build(Host())


def test_twice_in_a_row(build: Build, first: dict[str, str]) -> None:
    """Two builds in a row give the same images and metadata, byte for byte."""
    assert build(Host()) == first


def test_everything_is_other(build: Build, first: dict[str, str], tried: Tried) -> None:
    """A host of other umask, locale, zone, clock, name, CPUs, configuration and disks gives the same bytes."""
    assert build(together(*(HOSTS[name] for name in AT_ONCE))) == first
    tried(len(AT_ONCE))


@pytest.mark.thorough
@pytest.mark.parametrize("name", HOSTS)
def test_one_thing_is_other(name: str, build: Build, first: dict[str, str]) -> None:
    """A host that differs in one thing gives the same bytes."""
    assert build(HOSTS[name]) == first
