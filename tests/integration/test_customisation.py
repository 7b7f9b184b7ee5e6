"""What a request changes in the tree besides packages, looked at with other tools than those that changed it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.torture.mirror import EXTRA, Mirror, made

from .conftest import Fuel, Request, metadata_of
from .images import ImageSet, installed, output_of
from .servers import directory

KEPT = "kept from an earlier build"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBLdJ1jVzoWGzGQ2n3kHzlCYMuH2CqSUnJ0f0K4QcXyz deploy@example.org"
SECRET = "Pl4nted"
HASHED = f"$6${SECRET}$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1"
PACKAGES = ["hello", "acl", "systemd", "sudo", "locales", "tzdata", "cron"]
UNIT = "[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n"
SCRIPT = f"""#!/bin/sh -e
# {SECRET}
echo "This is $0"
id deploy
ip link 2> /dev/null || ls /sys/class/net
test ! -e /etc/resolv.conf
test -z "$APT_CONFIG"
echo made > /srv/by-script
"""
CUSTOM: dict[str, Any] = {
    "files": [
        {"path": "/etc/motd", "content": "Grüße\n"},
        {"path": "/opt/mine/key", "content": SECRET, "owner": "deploy", "mode": "0600"},
        {"path": "/etc/systemd/system/mine.service", "content": UNIT},
    ],
    "users": [
        {"name": "deploy", "keys": [KEY], "sudo": True, "groups": ["adm", "deployers"]},
        {"name": "ops", "uid": 4242, "shell": "/bin/sh", "home": "/srv/of/ops", "hashed_password": HASHED},
        {"name": "games", "groups": ["adm"], "shell": "/bin/sh"},
        {"name": "root", "keys": [KEY]},
    ],
    "services": {"enable": ["mine", "cron"]},
    "sysctl": {"net.ipv4.ip_forward": 1, "vm.swappiness": "10"},
    "modules": ["br_netfilter"],
    "kernel_parameters": ["console=ttyS0,115200", "quiet"],
    "timezone": "Europe/Berlin",
    "locale": "de_DE.UTF-8",
    "hostname": "node-1.example.org",
    "scripts": [{"content": SCRIPT}],
    "remove_packages": ["attr"],
    "debconf": [f"base-passwd base-passwd/mine password {SECRET}"],
    "holds": ["hello"],
}


@pytest.fixture(scope="module")
def mirror(cache_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mirror]:
    """A signed repository of a few real packages, so that a test of this file takes seconds."""
    wanted = (*EXTRA, *PACKAGES)
    mirror = made(tmp_path_factory.mktemp("mirror"), cache_dir, tuple(dict.fromkeys(wanted)))
    yield mirror
    mirror.signer.close()


@dataclass(frozen=True)
class Customised:
    """A request, what is in the image that came of it, and the log of its build."""

    request: Request
    tree: Path
    log: str

    def inside(self, *argv: str) -> str:
        """Return what a program of the tree says in the tree."""
        return output_of("chroot", self.tree, *argv)

    def mode(self, path: str) -> str:
        return output_of("stat", "--format", "%a %u:%g", self.tree / path).strip()


@pytest.fixture(scope="module")
def customised(fuel: Fuel, mirror: Mirror, tmp_path_factory: pytest.TempPathFactory) -> Customised:
    place = tmp_path_factory.mktemp("customised")
    (place / "host.bin").write_bytes(bytes(range(256)))
    file = {"path": "/usr/local/bin/bin", "source": str(place / "host.bin"), "owner": "root:adm", "mode": "4750"}
    custom = {**CUSTOM, "files": [*CUSTOM["files"], file]}
    request = mirror.request(place / "output", packages=PACKAGES, **custom)
    fuel(request, "--log-file", str(place / "log"))
    with ImageSet(metadata_of(request)).mounted("/", place) as mounted:
        subprocess.run(["cp", "--archive", f"{mounted}/.", place / "tree"], check=True)
    return Customised(request, place / "tree", (place / "log").read_text())


def digests(request: Request) -> list[str]:
    return [image["container_sha256"] for image in ImageSet(metadata_of(request)).record["images"]]


def test_files(customised: Customised) -> None:
    tree = customised.tree
    assert (tree / "etc/motd").read_text() == "Grüße\n" and customised.mode("etc/motd") == "644 0:0"
    assert (tree / "usr/local/bin/bin").read_bytes() == bytes(range(256))
    assert customised.mode("usr/local/bin/bin") == "4750 0:4"
    assert (tree / "opt/mine/key").read_text() == SECRET
    assert customised.mode("opt/mine/key") == "600 1000:1000" and customised.mode("opt/mine") == "755 0:0"


def test_users(customised: Customised) -> None:
    assert customised.inside("getent", "passwd", "deploy", "ops", "games").splitlines() == [
        "deploy:x:1000:1000::/home/deploy:/bin/bash",
        "ops:x:4242:4242::/srv/of/ops:/bin/sh",
        "games:x:5:60:games:/usr/games:/bin/sh",
    ]
    assert customised.inside("id", "--name", "--groups", "deploy").split() == ["deploy", "adm", "deployers"]
    assert customised.inside("id", "--name", "--groups", "games").split() == ["games", "adm"]
    states = [customised.inside("passwd", "--status", name).split()[1] for name in ("deploy", "ops", "games", "root")]
    assert states == ["L", "P", "L", "L"]
    assert f"ops:{HASHED}:" in (customised.tree / "etc/shadow").read_text()
    for home, owner in (("home/deploy", "1000:1000"), ("root", "0:0")):
        assert customised.mode(f"{home}/.ssh") == f"700 {owner}"
        assert customised.mode(f"{home}/.ssh/authorized_keys") == f"600 {owner}"
        assert (customised.tree / home / ".ssh/authorized_keys").read_text() == f"{KEY}\n"
    assert (customised.tree / "srv/of/ops/.profile").exists() and customised.mode("srv/of/ops").endswith(" 4242:4242")


def test_sudo(customised: Customised) -> None:
    assert customised.mode("etc/sudoers.d/deploy") == "440 0:0"
    assert "/etc/sudoers.d/deploy: parsed OK" in customised.inside("visudo", "-c")
    said = customised.inside("sudo", "--list", "--other-user", "deploy")
    assert re.search(r"\(ALL : ALL\) NOPASSWD: ALL", said), said


def test_services(customised: Customised) -> None:
    states = {}
    for unit in ("mine", "cron"):
        argv = ["systemctl", f"--root={customised.tree}", "is-enabled", unit]
        states[unit] = subprocess.run(argv, check=False, stdout=subprocess.PIPE, text=True).stdout.strip()
    assert states == {"mine": "enabled", "cron": "enabled"}


def test_what_the_machine_is(customised: Customised) -> None:
    tree = customised.tree
    assert (tree / "etc/hostname").read_text() == "node-1\n"
    assert customised.inside("getent", "hosts", "127.0.1.1").split() == ["127.0.1.1", "node-1.example.org", "node-1"]
    assert os.readlink(tree / "etc/localtime") == "/usr/share/zoneinfo/Europe/Berlin"
    assert (tree / "etc/timezone").read_text() == "Europe/Berlin\n"
    assert customised.inside("date", "--date=@0", "+%H %Z").strip() == "01 CET"
    assert "LANG=de_DE.UTF-8" in (tree / "etc/default/locale").read_text().splitlines()
    assert "de_DE.utf8" in customised.inside("locale", "--all-locales").split()
    assert customised.inside("env", "LC_ALL=de_DE.UTF-8", "date", "--date=@0", "+%B").strip() == "Januar"


def test_the_kernel(customised: Customised) -> None:
    """By sysctl's own reading and by a shell's, as GRUB's configuration is read by one."""
    (settings,) = (customised.tree / "etc/sysctl.d").glob("*fuel-image*")
    assert settings.read_text() == "net.ipv4.ip_forward = 1\nvm.swappiness = 10\n"
    (modules,) = (customised.tree / "etc/modules-load.d").glob("*fuel-image*")
    assert modules.read_text() == "br_netfilter\n"
    script = (
        'GRUB_CMDLINE_LINUX=a; for file in /etc/default/grub.d/*.cfg; do . "$file"; done; echo "$GRUB_CMDLINE_LINUX"'
    )
    assert customised.inside("sh", "-c", script) == "a console=ttyS0,115200 quiet\n"


def test_packages(customised: Customised) -> None:
    selections = output_of("dpkg", f"--admindir={customised.tree}/var/lib/dpkg", "--get-selections")
    assert re.findall(r"(?m)^(\S+)\s+hold$", selections) == ["hello"]
    assert "removing packages: attr is not installed" in customised.log


def test_a_script(customised: Customised) -> None:
    assert (customised.tree / "srv/by-script").read_text() == "made\n"
    lines = [line for line in customised.log.splitlines() if " | " in line and "scripts[0]" in line]
    assert "This is /run/customisation/scripts[0]" in lines[0] and "deployers" in lines[1]
    assert [line.rpartition(" ")[2] for line in lines[2:]] == ["lo"]
    assert not list((customised.tree / "run").iterdir()) and not (customised.tree / "etc/resolv.conf").exists()


def test_what_may_be_secret_is_in_no_log_argument_or_record(customised: Customised, cache_dir: Path) -> None:
    """The log holds the arguments of every program that was run."""
    assert "run: useradd" in customised.log and SECRET not in customised.log
    assert SECRET not in metadata_of(customised.request).read_text()
    records = [*cache_dir.glob("layers/*/record.json"), *cache_dir.glob("choices/*")]
    assert any("users[0] deploy" in record.read_text() for record in records)
    assert not [record for record in records if SECRET in record.read_text()]


def test_no_layers_give_the_same_bytes(fuel: Fuel, customised: Customised) -> None:
    before = digests(customised.request)
    assert KEPT not in fuel(customised.request, "--force", "--no-cache").stderr
    assert digests(customised.request) == before


@pytest.fixture
def own_cache(cache_dir: Path, tmp_path: Path) -> tuple[str, str]:
    """Options for a cache of this test's own, but for the fetched packages."""
    (tmp_path / "cache").mkdir()
    (cache_dir / "pool").mkdir(exist_ok=True)
    (tmp_path / "cache/pool").symlink_to(cache_dir / "pool")
    return "--cache-dir", str(tmp_path / "cache")


def test_another_customisation_leaves_the_packages_kept(
    fuel: Fuel, mirror: Mirror, own_cache: tuple[str, str], tmp_path: Path
) -> None:
    def explained(request: Request) -> list[str]:
        explain = (sys.executable, "-m", "fuel_image", "cache", "explain")
        return fuel(request, *own_cache, program=explain).stdout.splitlines()

    source = tmp_path / "motd"
    source.write_text("hello\n")
    custom: dict[str, Any] = {"hostname": "one", "files": [{"path": "/etc/motd", "source": str(source)}]}
    request = mirror.request(tmp_path / "output", **custom)
    assert KEPT not in fuel(request, *own_cache).stderr
    first = digests(request)
    assert "already built" in fuel(request, *own_cache).stderr
    source.write_text("hullo\n")
    kept = ["The base system: kept", "The packages: kept"]
    assert explained(request) == [*kept, "The customisation: would be made: files /etc/motd has changed"]
    said = fuel(request, *own_cache).stderr
    assert "building anew: the request has changed" in said
    assert [line for line in said.splitlines() if KEPT in line] == [f"{one} from an earlier build" for one in kept]
    assert digests(request) != first
    source.write_text("hello\n")
    assert fuel(request, *own_cache).stderr.count(KEPT) == 3
    assert digests(request) == first
    base, packages = explained({**request, "debconf": ["tzdata tzdata/Areas select Asia"]})
    assert base == "The base system: kept"
    assert packages == "The packages: would be made: debconf tzdata tzdata/Areas is new"


def test_debconf_answers_before_the_packages_ask(fuel: Fuel, mirror: Mirror, tmp_path: Path) -> None:
    answers = ["tzdata tzdata/Areas select Asia", "tzdata tzdata/Zones/Asia select Kathmandu"]
    request = mirror.request(tmp_path / "output", packages=["tzdata"], debconf=answers)
    fuel(request)
    with ImageSet(metadata_of(request)).mounted("/", tmp_path) as tree:
        assert os.readlink(tree / "etc/localtime").endswith("/Asia/Kathmandu")


def test_packages_are_removed_with_those_that_need_them(fuel: Fuel, mirror: Mirror, tmp_path: Path) -> None:
    """Of the default set: who names a package wants it."""
    request = mirror.request(tmp_path / "output", remove_packages=["sensible-utils"])
    del request["packages"]
    said = fuel(request).stderr
    assert "removed with those that they need: cron\n" in said
    metadata = ImageSet(metadata_of(request))
    with metadata.mounted("/", tmp_path) as tree:
        there = installed(tree)
    assert "sudo" in there and not {"cron", "sensible-utils"} & there.keys()
    assert {one["name"] for one in metadata.record["installed"]} == there.keys()


def test_units_are_disabled_and_masked(fuel: Fuel, mirror: Mirror, tmp_path: Path) -> None:
    services = {"disable": ["cron"], "mask": ["apt-daily.timer", "getty@tty1"]}
    request = mirror.request(tmp_path / "output", packages=PACKAGES, services=services)
    fuel(request)
    with ImageSet(metadata_of(request)).mounted("/", tmp_path) as tree:
        argv = ["systemctl", f"--root={tree}", "is-enabled", "cron", "apt-daily.timer", "getty@tty1.service"]
        ended = subprocess.run(argv, check=False, stdout=subprocess.PIPE, text=True)
        assert ended.stdout.split() == ["disabled", "masked", "masked"]


FAILURES: list[tuple[dict[str, Any], list[str]]] = [
    (
        {"services": {"enable": ["crom", "cron"], "mask": ["nobodys.timer"]}},
        ["there is no unit crom.service (but cron.service", "there is no unit nobodys.timer"],
    ),
    ({"services": {"enable": ["systemd-journald"]}}, ["systemd-journald.service cannot be enabled: it has no section"]),
    ({"timezone": "Europe/Berlim"}, ["the tree has no Europe/Berlim", "did you mean Europe/Berlin?"]),
    ({"locale": "xx_XX.UTF-8"}, ["the tree's C library has no xx_XX.UTF-8"]),
    ({"files": [{"path": "/a", "content": "", "owner": "roof"}]}, ["the tree has no user roof", "did you mean root?"]),
    (
        {"files": [{"path": "/etc", "content": ""}]},
        ["writing /etc in the tree: Is a directory"],
    ),
    (
        {"files": [{"path": "/etc/motd/d", "content": ""}]},
        ["writing /etc/motd/d in the tree: Not a directory"],
    ),
    ({"users": [{"name": "a", "shell": "/bin/zsh"}]}, ["making the user a: the tree has no /bin/zsh"]),
    ({"users": [{"name": "a", "sudo": "is allowed to do anything"}]}, ["letting a use sudo", "syntax error"]),
    (
        {"remove_packages": ["sensible-utils"]},
        ["removing packages: cron, which is wanted, needs one of sensible-utils"],
    ),
    ({"holds": ["helo"]}, ["holding packages: helo is not installed", "did you mean hello?"]),
    (
        {"scripts": [{"content": "#!/bin/sh\ntrue\n"}, {"content": "#!/bin/sh\necho the cause >&2\nexit 3\n"}]},
        ["running scripts[1]", "ended with exit code 3", "| the cause"],
    ),
    ({"scripts": [{"content": "#!/no/such\n"}]}, ["running scripts[0]", "No such file"]),
    (
        {"scripts": [{"content": "#!/bin/sh\necho waiting\nsleep 1000 & wait\n", "timeout": 1}]},
        ["running scripts[0]: it took more than 1 seconds", "| waiting", "longer timeout"],
    ),
]


@pytest.mark.parametrize(("custom", "words"), FAILURES)
def test_a_failure_says_what_and_why(
    fuel: Fuel, mirror: Mirror, tmp_path: Path, custom: dict[str, Any], words: list[str]
) -> None:
    request = mirror.request(tmp_path / "output", packages=PACKAGES, **custom)
    said = fuel(request, expect=1).stderr
    assert [word for word in words if word not in said] == [], said
    assert not list((tmp_path / "output").iterdir())


def test_what_is_known_to_be_wrong_beforehand_is_told_at_once(fuel: Fuel, mirror: Mirror, tmp_path: Path) -> None:
    custom: dict[str, Any] = {
        "files": [{"path": "/etc/machine-id", "content": ""}],
        "remove_packages": ["atr"],
        "packages": ["helo"],
    }
    said = fuel(mirror.request(tmp_path / "output", **custom), expect=2).stderr
    assert "$.packages[0]: no repository holds helo; did you mean hello?" in said
    assert "$.remove_packages[0]: no repository holds atr; did you mean attr?" in said
    assert "$.files[0].path: no image holds /etc/machine-id" in said


ASK = """#!/bin/bash
if (exec 3<> /dev/tcp/127.0.0.1/{port}; printf 'GET /word HTTP/1.0\\r\\n\\r\\n' >&3; cat <&3) 2> /dev/null; then
    cat /etc/resolv.conf > /srv/resolv.conf
fi > /srv/answer
grep CapEff /proc/self/status > /srv/capabilities
"""
NET_ADMIN, NET_RAW = 12, 13


@pytest.mark.parametrize("network", [True, False])
def test_a_script_has_a_network_only_where_it_asks_for_it(
    fuel: Fuel, mirror: Mirror, tmp_path: Path, network: bool
) -> None:
    (tmp_path / "served").mkdir()
    (tmp_path / "served/word").write_text("the word")

    with directory(tmp_path / "served") as url:
        script = {"content": ASK.format(port=url.rpartition(":")[2].strip("/")), "network": network}
        request = mirror.request(tmp_path / "output", scripts=[script])
        fuel(request)
    with ImageSet(metadata_of(request)).mounted("/", tmp_path) as tree:
        assert ("the word" in (tree / "srv/answer").read_text()) == network
        capabilities = int((tree / "srv/capabilities").read_text().split()[1], 16)
        assert [bool(capabilities >> number & 1) for number in (NET_ADMIN, NET_RAW)] == [not network] * 2
        if network:
            assert (tree / "srv/resolv.conf").read_text() == Path("/etc/resolv.conf").read_text()
        assert not [name for name in os.listdir(tree / "etc") if "resolv" in name]


def test_a_tree_s_own_resolv_conf_is_put_back_or_what_a_script_made_of_it(
    fuel: Fuel, mirror: Mirror, tmp_path: Path
) -> None:
    look = "#!/bin/sh -e\ncmp /etc/resolv.conf {expected}\n"
    scripts: list[dict[str, Any]] = [
        {"content": "#!/bin/sh -e\nln -s ../run/stub /etc/resolv.conf\ncp -P /etc/resolv.conf /srv/\n"},
        {"content": "#!/bin/sh -e\ngrep -q nameserver /etc/resolv.conf\n", "network": True},
        {"content": '#!/bin/sh -e\ntest "$(readlink /etc/resolv.conf)" = ../run/stub\n'},
        {"content": "#!/bin/sh -e\necho mine > /etc/mine\nln -sf mine /etc/resolv.conf\n", "network": True},
        {"content": look.format(expected="/etc/mine")},
    ]
    request = mirror.request(tmp_path / "output", scripts=scripts)
    fuel(request)
    with ImageSet(metadata_of(request)).mounted("/", tmp_path) as tree:
        assert sorted(name for name in os.listdir(tree / "etc") if "resolv" in name) == ["resolv.conf"]
        assert os.readlink(tree / "etc/resolv.conf") == "mine"
