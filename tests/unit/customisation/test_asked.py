"""What a request asks for beside packages, and what tells it from another."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from fuel_image import plan
from fuel_image.customisation.asked import Customisation, Selection, User
from fuel_image.errors import BuildError
from fuel_image.request import Request, parse

from .asking import KEY, request

HASH = "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl"


def parsed(**custom: Any) -> Request:
    return parse(json.dumps(request(**custom)), environment={}, strict=True)


def parts(**custom: Any) -> Mapping[str, str]:
    return parsed(**custom).customisation.parts


def test_nothing() -> None:
    assert parsed().customisation == Customisation()
    assert parsed(files=[], users=[], services={}, timezone=None).customisation == Customisation()
    assert parts() == {}


def test_everything(tmp_path: Path) -> None:
    (tmp_path / "script").write_text("#!/bin/sh\nexit 3\n")
    asked = parsed(
        files=[
            {"path": "/etc/motd", "content": "hello\n"},
            {"path": "/b", "content": "", "owner": "a", "mode": "4750"},
        ],
        users=[
            {"name": "a", "keys": [KEY, f" {KEY}\t".rstrip("\t")], "sudo": True, "groups": ["adm", "adm"]},
            {
                "name": "b",
                "uid": 4242.0,
                "shell": "/bin/sh",
                "home": "/srv/b",
                "hashed_password": HASH,
                "sudo": "ALL=x",
            },
            {"name": "c", "sudo": False},
        ],
        services={"mask": ["a.timer"], "enable": ["ssh", "getty@ttyS1", "x.y"]},
        sysctl={"vm.swappiness": 10, "kernel.panic": "5"},
        scripts=[{"source": str(tmp_path / "script")}, {"content": "#!/bin/sh\n", "timeout": 5, "network": True}],
        debconf=["mysql mysql/password password  two words", "tzdata tzdata/Areas select"],
        holds=["acl", "acl"],
    ).customisation
    assert [(one.path, one.owner, one.mode) for one in asked.files] == [
        ("/etc/motd", "root:root", 0o644),
        ("/b", "a", 0o4750),
    ]
    assert asked.users == (
        User("a", groups=("adm",), keys=(KEY,), sudo="ALL=(ALL:ALL) NOPASSWD: ALL"),
        User("b", 4242, (), "/bin/sh", "/srv/b", HASH, (), "ALL=x"),
        User("c"),
    )
    assert asked.services == (
        *(("enable", "ssh.service"), ("enable", "getty@ttyS1.service"), ("enable", "x.y.service"), ("mask", "a.timer")),
    )
    assert asked.sysctl == (("vm.swappiness", "10"), ("kernel.panic", "5"))
    assert [(one.name, one.timeout_seconds, one.network) for one in asked.scripts] == [
        ("scripts[0]", 600, False),
        ("scripts[1]", 5, True),
    ]
    assert asked.debconf == (
        Selection("mysql", "mysql/password", "password", "two words"),
        Selection("tzdata", "tzdata/Areas", "select", ""),
    )
    assert asked.holds == ("acl",)


@pytest.mark.parametrize(
    "key",
    [
        KEY,
        KEY.rpartition(" ")[0],
        f'from="10.0.0.1",no-pty {KEY}',
        f'command="echo ssh-rsa AAAA" {KEY}',
        "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTY= me",
        "sk-ssh-ed25519@openssh.com AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29tAAAAIA== me",
    ],
)
def test_public_keys(key: str) -> None:
    assert parsed(users=[{"name": "a", "keys": [key]}]).customisation.users[0].keys == (key,)


@pytest.mark.parametrize(
    "name", ["C", "C.UTF-8", "POSIX", "en_US.UTF-8", "de_DE@euro", "de_DE", "ca_ES.UTF-8@valencia"]
)
def test_locales(name: str) -> None:
    assert parsed(locale=name).customisation.locale == name


EACH: tuple[tuple[dict[str, Any], dict[str, Any], str], ...] = (
    ({"files": [{"path": "/a", "content": "1"}]}, {"files": [{"path": "/a", "content": "2"}]}, "files /a"),
    (
        {"files": [{"path": "/a", "content": ""}]},
        {"files": [{"path": "/a", "content": "", "mode": "0600"}]},
        "files /a",
    ),
    (
        {"files": [{"path": "/a", "content": "http://u:1@example.org"}]},
        {"files": [{"path": "/a", "content": "http://u:2@example.org"}]},
        "files /a",
    ),
    ({"users": [{"name": "a"}]}, {"users": [{"name": "a", "hashed_password": HASH}]}, "users[0] a"),
    ({"services": {"enable": ["a"]}}, {"services": {"disable": ["a"]}}, "services"),
    ({"sysctl": {"vm.swappiness": 1}}, {"sysctl": {"vm.swappiness": 2}}, "sysctl"),
    ({"modules": ["a"]}, {"modules": ["b"]}, "modules"),
    ({"kernel_parameters": ["a", "b"]}, {"kernel_parameters": ["b", "a"]}, "kernel_parameters"),
    ({"timezone": "UTC"}, {"timezone": "GMT"}, "timezone"),
    ({"locale": "C"}, {"locale": "POSIX"}, "locale"),
    ({"hostname": "a"}, {"hostname": "b"}, "hostname"),
    ({"scripts": [{"content": "#!a"}]}, {"scripts": [{"content": "#!b"}]}, "scripts[0]"),
    ({"scripts": [{"content": "#!a"}]}, {"scripts": [{"content": "#!a", "network": True}]}, "scripts[0]"),
    ({"remove_packages": ["aa"]}, {"remove_packages": ["bb"]}, "remove_packages"),
    ({"holds": ["aa"]}, {"holds": ["bb"]}, "holds"),
)


@pytest.mark.parametrize(("one", "other", "part"), EACH)
def test_each_tells_a_layer_and_a_request_from_another(one: dict[str, Any], other: dict[str, Any], part: str) -> None:
    first, second = parts(**one), parts(**other)
    assert list(first) == list(second) == [part] and first != second
    assert len({parsed().digest, parsed(**one).digest, parsed(**other).digest}) == 3


def test_debconf_is_of_the_packages_and_not_of_what_comes_after() -> None:
    one, other = (parsed(debconf=[f"tzdata tzdata/Areas select {zone}"]) for zone in ("Europe", "Asia"))
    assert one.customisation.parts == {} == other.customisation.parts
    ((first,), (second,)) = (request.customisation.debconf for request in (one, other))
    assert first.name == second.name == "debconf tzdata tzdata/Areas" and first.digest != second.digest
    assert one.digest != other.digest


def test_the_content_of_a_file_of_the_host_counts(tmp_path: Path) -> None:
    source = tmp_path / "motd"
    digests = []
    for text in ("one", "two"):
        source.write_text(text)
        digests.append(parsed(files=[{"path": "/etc/motd", "source": str(source)}]).digest)
    assert digests[0] != digests[1]
    inline = parts(files=[{"path": "/etc/motd", "content": "two"}])
    assert parts(files=[{"path": "/etc/motd", "source": str(source)}]) == inline


def test_a_file_of_the_host_that_changes_meanwhile_is_an_error(tmp_path: Path) -> None:
    source = tmp_path / "motd"
    source.write_text("one")
    (file,) = parsed(files=[{"path": "/etc/motd", "source": str(source)}]).customisation.files
    assert b"".join(file.content.chunks()) == b"one"
    source.write_text("two")
    with pytest.raises(BuildError, match="it has changed since the build began"):
        list(file.content.chunks())
    source.unlink()
    with pytest.raises(BuildError, match="No such file"):
        list(file.content.chunks())


def test_what_may_be_secret_is_not_in_sight() -> None:
    asked = parsed(
        files=[{"path": "/etc/key", "content": "s3cret"}],
        users=[{"name": "a", "hashed_password": "$6$s3cret$s3cret"}],
        scripts=[{"content": "#!/bin/sh\ns3cret"}],
        debconf=["mysql mysql/password password s3cret"],
    )
    seen = [repr(asked), plan.described(plan.make(asked)), json.dumps(dict(asked.customisation.parts))]
    seen += [repr(one) for one in asked.customisation.users]
    assert "s3cret" not in "".join(seen)


def test_the_plan_tells_what_will_be_done() -> None:
    lines = plan.described(plan.make(parsed(hostname="a", debconf=["aa aa/b string x"]))).splitlines()
    place = lines.index("customisation")
    assert lines[place + 1 : place + 3] == ["  debconf aa aa/b", "  hostname"]
    assert "  4. customise the tree, and run scripts in it" in lines
    assert "customis" not in plan.described(plan.make(parsed()))
