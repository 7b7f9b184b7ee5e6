"""Faults of packages' scripts."""

from __future__ import annotations

import json
import platform
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.integration.conftest import PROGRAM, Fuel, Request, Run, metadata_of
from tests.integration.images import ImageSet, facts
from tests.integration.repository import package

from . import hostile
from .mirror import Mirror

LIMIT_SECONDS = 5
SHELL = "#!/bin/sh\nset -e\n"
OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufffd]")


class Place:
    """Where the builds of one test run, with a package that has a script."""

    def __init__(self, fuel: Fuel, mirror: Mirror, directory: Path, cache_dir: Path) -> None:
        self.fuel = fuel
        self.mirror = mirror
        self.directory = directory
        self.output = directory / "output"
        self.work = directory / "work"
        self.layers = cache_dir / "layers"
        self.config = directory / "config.yaml"
        self.config.write_text(f"script_limit: {LIMIT_SECONDS}\n")

    def request(self, script: str, kind: str = "postinst", name: str = "faulty", fields: str = "") -> Request:
        deb = package(self.directory, name, "99", fields=fields, **{kind: script})
        return hostile.request(self.mirror, self.output, self.directory, [deb], ["hello", name])

    def built(self, request: Request, *options: str, expect: int = 0, program: Sequence[str] = PROGRAM) -> Run:
        log = self.directory / "log"
        log.unlink(missing_ok=True)
        options = ("--config", str(self.config), "--log-file", str(log), "--work-dir", str(self.work), *options)
        return self.fuel(request, *options, expect=expect, program=program)

    def fails(self, script: str, kind: str = "postinst") -> str:
        """Build with the script, which leaves nothing in any directory; return what was said."""
        return self.fails_to_build(self.request(script, kind))

    def fails_to_build(self, request: Request) -> str:
        said = self.built(request, expect=1).stderr
        assert "Traceback" not in said and "a defect" not in said
        assert list(self.output.iterdir()) == []
        assert list(self.work.iterdir()) == []
        assert list(self.layers.glob("*.new")) == []
        return said

    def survives(self, script: str) -> ImageSet:
        """Build with the script, which is to leave no trace beside what it is there for."""
        request = self.request(script)
        self.built(request)
        return ImageSet(metadata_of(request))


@pytest.fixture(scope="module", autouse=True)
def base(fuel: Fuel, mirror: Mirror, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Have the base system kept, which takes longer on a busy host than a script may here."""
    fuel(mirror.request(tmp_path_factory.mktemp("base")))


@pytest.fixture
def place(fuel: Fuel, mirror: Mirror, tmp_path: Path, cache_dir: Path) -> Place:
    return Place(fuel, mirror, tmp_path, cache_dir)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("preinst", "new faulty package pre-installation script subprocess returned error exit status 7"),
        ("postinst", "installed faulty package post-installation script subprocess returned error exit status 7"),
    ],
)
def test_failing(kind: str, words: str, place: Place) -> None:
    """A script that fails ends the build with the names of package and script, its exit status and its last words."""
    said = place.fails(f"{SHELL}echo the reason >&2\nexit 7\n", kind)
    assert f"error: installing packages: faulty{'_99_all.deb' * (kind == 'preinst')}: {words}" in said
    assert "    | the reason" in said


def test_the_next_build(place: Place) -> None:
    """After a script that fails, the next build without it succeeds."""
    place.fails("#!/bin/sh\nexit 7\n")
    request = place.mirror.request(place.output)
    place.built(request)
    assert metadata_of(request).exists()


@pytest.mark.parametrize(
    "script",
    [
        "sleep infinity",
        "trap '' TERM HUP INT\nsetsid sh -c 'trap \"\" TERM; sleep infinity' &\nsleep infinity",
        pytest.param("kill -STOP $$", marks=pytest.mark.thorough),
        pytest.param("while :; do echo Setting up one more '(1) ...'; sleep 1; done", marks=pytest.mark.thorough),
        "exec perl -e 'while (1) { print qq(Setting up faulty$_ (1) ...\\n) for 1 .. 1e4 }'",
    ],
    ids=["waits", "deaf", "stopped", "says that it goes on", "floods"],
)
def test_hanging(script: str, place: Place) -> None:
    """A script that hangs is ended in time with all that it has started; the message says what was running."""
    said = place.fails(f"{SHELL}{script}\n")
    assert re.search(rf"installing packages: \S.* took more than {LIMIT_SECONDS} seconds; running then: apt-get", said)
    assert "faulty.postinst configure" in said or "perl -e while" in said
    assert "raise script_limit" in said


def test_hanging_before_unpacking(place: Place) -> None:
    """A script that hangs while dpkg unpacks is ended in time, too."""
    said = place.fails(f"{SHELL}sleep infinity\n", "preinst")
    assert f"faulty took more than {LIMIT_SECONDS} seconds; running then: apt-get" in said


@pytest.mark.parametrize(
    ("script", "words"),
    [
        pytest.param("exit 7", "hostname: installed hostname package post-", marks=pytest.mark.thorough),
        ("sleep infinity", f"hostname 99 took more than {LIMIT_SECONDS} seconds; running then: dpkg"),
    ],
)
def test_the_base_system(script: str, words: str, place: Place) -> None:
    """Scripts of essential packages, which run while the base system is made, are held to the same."""
    request = place.request(f"{SHELL}{script}\n", name="hostname", fields="Essential: yes\n")
    assert f"configuring the base system: {words}" in place.fails_to_build(request)


def test_processes_without_end(place: Place) -> None:
    """A script that starts many processes has at most 4096, from Linux 6.14 on."""
    count = "perl -e 'for (1 .. 5000) { my $one = fork; last unless defined $one; $one ? $n++ : sleep 1000 } print $n'"
    image = place.survives(f"{SHELL}{count} > /var/lib/started\n")
    with image.mounted("/", place.directory) as root:
        started = int((root / "var/lib/started").read_text())
    release = [int(part) for part in re.findall(r"\d+", platform.release())[:2]]
    assert started < 4096 if release >= [6, 14] else started <= 5000


@pytest.mark.thorough
def test_a_fork_bomb(place: Place) -> None:
    """A script that doubles without end is ended in time with all that came of it."""
    said = place.fails(f"{SHELL}bomb() {{ bomb | bomb & }}; bomb; sleep infinity\n")
    assert f"took more than {LIMIT_SECONDS} seconds" in said


def test_daemons(place: Place) -> None:
    """A daemon that a script starts ends with the script's turn, and is in no way in the image."""
    script = "for n in 1 2 3; do setsid sh -c 'exec 3> /run/daemon; exec sleep 987' > /dev/null 2>&1 & done\n"
    script += "(sleep 987 &)\nsetsid perl -MIO::Socket::UNIX -e '"
    script += 'IO::Socket::UNIX->new(Local => "/var/lib/daemon.socket", Listen => 1) or die $!; sleep 987\' &\n'
    script += "while [ ! -S /var/lib/daemon.socket ]; do sleep 0.1; done\n"
    image = place.survives(f"{SHELL}{script}")
    listed = subprocess.run(["ps", "-eo", "args"], check=True, stdout=subprocess.PIPE, text=True).stdout
    assert "sleep 987" not in listed
    with image.mounted("/", place.directory) as root:
        assert list((root / "run").iterdir()) == []


def test_much_output(place: Place) -> None:
    """A script that says tens of megabytes fills neither the memory nor the log."""
    place.config.write_text("script_limit: 600\n")
    _flood(place, 40 << 20)


@pytest.mark.thorough
def test_gigabytes_of_output(place: Place) -> None:
    """A script that says gigabytes fills neither the memory nor the log."""
    place.config.write_text("script_limit: 3600\n")
    _flood(place, 2 << 30)


def _flood(place: Place, size_bytes: int) -> None:
    script = f"yes one line of a great many | head -c {size_bytes}\nhead -c {size_bytes // 4} /dev/zero\n"
    request = place.request(f"{SHELL}{script}echo the end\nexit 7\n")
    said = place.built(request, expect=1, program=[sys.executable, "-c", _MEASURED, *PROGRAM]).stderr
    assert "the end" in said
    assert "apt-get says more than 16 MiB; the rest is not logged" in said
    assert (place.directory / "log").stat().st_size < 64 << 20
    peak = re.search(r"most memory: (\d+) KiB", said)
    assert peak is not None and int(peak[1]) < 200 << 10


_MEASURED = """
import resource, subprocess, sys
ended = subprocess.run(sys.argv[1:]).returncode
print("most memory:", resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, "KiB", file=sys.stderr)
sys.exit(ended)
"""


def test_odd_output(place: Place) -> None:
    """What a script says in other encodings, in escape sequences and marks of direction, is shown and not obeyed."""
    odd = r"\377\376 \033[2J\033]0;title\007\2331m \010\010 caf\351 \342\200\256gnp.exe \001\177 end"
    said = place.fails(f"#!/bin/sh\nprintf '{odd}\\n' >&2\nprintf '{odd}'\nexit 7\n")
    for text in (said, (place.directory / "log").read_text(encoding="utf-8")):
        assert r"\x1b[2J\x1b]0;title\x07" in text and r"\u202egnp.exe \x01\x7f end" in text
        assert OBEYED.sub("", text.replace("\ufffd", "")) == text.replace("\ufffd", "")


def test_ending_its_group(place: Place) -> None:
    """A script that ends its own process group ends apt and nothing else, and the message says so."""
    said = place.fails(f"{SHELL}kill -9 0\n")
    assert "error: installing packages: apt-get was killed by SIGKILL (out of memory?) at faulty 99" in said


@pytest.mark.parametrize("number", ["TERM", "KILL"])
def test_ending_all_others(number: str, place: Place) -> None:
    """A script that ends every process that it sees ends none of the host's."""
    said = place.fails(f"{SHELL}kill -{number} -1\nsleep 1\nexit 7\n")
    assert re.search(r"installing packages: (apt-get was killed by SIG|faulty: installed faulty package)", said)


def test_what_a_script_may_need(place: Place) -> None:
    """A script that asks for the machine's name is told the image's, and one that reaches for itself by network may."""
    script = "hostname > /var/lib/name\nperl -MIO::Socket::INET -e '"
    script += 'my $own = IO::Socket::INET->new(LocalAddr => "127.0.0.1", Listen => 1) or die $@;'
    script += "IO::Socket::INET->new(PeerAddr => q(127.0.0.1), PeerPort => $own->sockport) or die $@'\n"
    with place.survives(f"{SHELL}{script}").mounted("/", place.directory) as root:
        assert (root / "var/lib/name").read_text() == (root / "etc/hostname").read_text() == "localhost\n"


def test_unmounting_and_removing(place: Place, fuel: Fuel, mirror: Mirror) -> None:
    """A script that unmounts /proc and removes /dev, /run, /proc and /sys, as far as it can, spoils no image."""
    script = "umount -l /proc || umount /proc || true\numount /dev/pts /dev/shm /dev || true\n"
    script += "rm -rf /dev /run /proc /sys 2> /dev/null || true\n"
    image = place.survives(f"#!/bin/sh\n{script}exit 0\n")
    plain = mirror.request(place.directory / "plain", packages=["hello"])
    fuel(plain)
    with image.mounted("/", place.directory) as root:
        found = {name: facts(root / name)._replace(mtime=None) for name in ("dev", "run", "proc", "sys")}
        inside = sorted(path.name for path in (root / "dev").iterdir())
    with ImageSet(metadata_of(plain)).mounted("/", place.directory) as root:
        wanted = {name: facts(root / name)._replace(mtime=None) for name in ("dev", "run", "proc", "sys")}
        assert inside == sorted(path.name for path in (root / "dev").iterdir())
    assert found == wanted


def _on_a_small_disk(place: Place, request: Request, size: str) -> Run:
    """Build where the layers lie on a disk of this size."""
    directory = place.directory
    (directory / "cache/layers").mkdir(parents=True, exist_ok=True)
    script = 'mount -t tmpfs -o size="$2" tmpfs "$1"; shift 2; exec "$@"'
    mount = ["unshare", "--mount", "sh", "-c", script, "sh", str(directory / "cache/layers"), size]
    where: Sequence[str] = ["--work-dir", str(directory / "work"), "--cache-dir", str(directory / "cache")]
    argv = [*mount, sys.executable, "-m", "fuel_image", "--config", str(place.config), *where]
    (directory / "request.json").write_text(json.dumps(request))
    return subprocess.run(
        [*argv, str(directory / "request.json")], check=False, stderr=subprocess.PIPE, text=True, timeout=600
    )


def test_filling_the_disk(place: Place) -> None:
    """A script that fills the disk ends the build with the cause, and leaves the disk as it was."""
    place.config.write_text("script_limit: 600\n")
    request = place.request(f"{SHELL}cat /dev/zero > /var/lib/filled\n")
    ended = _on_a_small_disk(place, request, "1G")
    assert ended.returncode == 1, ended.stderr
    assert "installing packages: faulty: " in ended.stderr
    assert "No space left on device" in ended.stderr
    assert list(place.output.iterdir()) == []
    assert list((place.directory / "work").iterdir()) == []
    place.fuel(place.mirror.request(place.output))
