"""What a request may not ask for beside packages, and what is said then."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from fuel_image.errors import RequestError
from fuel_image.request import parse

from .asking import KEY, request

FILE = {"path": "/etc/motd", "content": ""}
SCRIPT = {"content": "#!/bin/sh\n"}
SELECTION = (
    "is not PACKAGE QUESTION TYPE VALUE as for debconf-set-selections(1), where TYPE is one of "
    "string, boolean, select, multiselect, password, text, note, error, title"
)
NOT_A_KEY = "is not one line with a public key such as ssh-ed25519 AAAA... (sshd(8))"


def problems(**custom: Any) -> list[str]:
    with pytest.raises(RequestError) as caught:
        parse(json.dumps(request(**custom)), environment={}, strict=True)
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("custom", "problem"),
    [
        ({"files": [{"content": ""}]}, "$.files[0]: 'path' is missing"),
        ({"files": [{"path": "/etc/motd"}]}, "$.files[0]: give content, or source: a file of this host"),
        ({"files": [{**FILE, "source": "/dev/null"}]}, "$.files[0]: give content, or source: a file of this host"),
        (
            {"files": [{**FILE, "path": "etc/motd"}]},
            '$.files[0].path: "etc/motd" is not an absolute path of a file in its shortest form',
        ),
        (
            {"files": [{**FILE, "path": "/etc/../motd"}]},
            '$.files[0].path: "/etc/../motd" is not an absolute path of a file in its shortest form',
        ),
        (
            {"files": [{**FILE, "path": "/etc/"}]},
            '$.files[0].path: "/etc/" is not an absolute path of a file in its shortest form',
        ),
        (
            {"files": [{**FILE, "path": "/"}]},
            '$.files[0].path: "/" is not an absolute path of a file in its shortest form',
        ),
        ({"files": [{**FILE, "path": "/run/motd"}]}, "$.files[0].path: what is in /run is in no image"),
        ({"files": [{**FILE, "path": f"/{'x' * 201}"}]}, "$.files[0].path: holds a name of more than 200 bytes"),
        ({"files": [FILE, FILE]}, "$.files[1].path: is also the path of $.files[0]"),
        (
            {"files": [FILE, {**FILE, "path": "/etc/motd/d"}]},
            "$.files[1].path: needs a directory where $.files[0] is a file",
        ),
        ({"files": [{**FILE, "mode": "rw"}]}, "$.files[0].mode: what was given does not have the form ^[0-7]{3,4}$"),
        ({"files": [{**FILE, "mode": 420}]}, "$.files[0].mode: must be a string, not what was given"),
        (
            {"files": [{**FILE, "owner": "a b"}]},
            '$.files[0].owner: "a b" is not USER or USER:GROUP, by name or number',
        ),
        ({"files": [{**FILE, "owne": "x"}]}, "$.files[0].owne: unknown key; did you mean owner?"),
        (
            {"files": [{"path": "/a", "source": "motd"}]},
            "$.files[0].source: must be an absolute path on this host",
        ),
        (
            {"files": [{"path": "/a", "source": "/nowhere/motd"}]},
            "$.files[0].source: /nowhere/motd cannot be read: No such file or directory",
        ),
        (
            {"files": [{"path": "/a", "source": "/dev/null"}]},
            "$.files[0].source: /dev/null cannot be read: it is no regular file",
        ),
        ({"files": [{**FILE, "content": "\0"}]}, "$.files[0].content: holds a control character"),
        ({"users": [{}]}, "$.users[0]: 'name' is missing"),
        ({"users": [{"name": "A"}]}, '$.users[0].name: "A" is not a name of a user or group (useradd(8))'),
        ({"users": [{"name": "a"}, {"name": "a"}]}, "$.users[1].name: is also that of $.users[0]"),
        (
            {"users": [{"name": "a", "uid": 1000}, {"name": "b", "uid": 1000}]},
            "$.users[1].uid: is also that of $.users[0]",
        ),
        (
            {"users": [{"name": "a", "groups": ["-x"]}]},
            '$.users[0].groups[0]: "-x" is not a name of a user or group (useradd(8))',
        ),
        (
            {"users": [{"name": "a", "shell": "bash"}]},
            '$.users[0].shell: "bash" is not an absolute path in its shortest form',
        ),
        (
            {"users": [{"name": "a", "home": "/x:y"}]},
            '$.users[0].home: "/x:y" is not an absolute path in its shortest form',
        ),
        (
            {"users": [{"name": "root", "hashed_password": "!"}]},
            "$.users[0].hashed_password: cannot be set for root; root's is $.hashed_root_password",
        ),
        ({"users": [{"name": "root", "uid": 5}]}, "$.users[0].uid: cannot be set for root"),
        (
            {"users": [{"name": "a", "hashed_password": "in clear"}]},
            "$.users[0].hashed_password: is not what crypt(3) makes (such as $6$salt$hash)",
        ),
        ({"users": [{"name": "a", "keys": ["ssh-ed25519"]}]}, f"$.users[0].keys[0]: {NOT_A_KEY}"),
        ({"users": [{"name": "a", "keys": [KEY.replace("AAAAC3", "AAAAC4")]}]}, f"$.users[0].keys[0]: {NOT_A_KEY}"),
        ({"users": [{"name": "a", "keys": [KEY, KEY[:25]]}]}, f"$.users[0].keys[1]: {NOT_A_KEY}"),
        (
            {"users": [{"name": "a", "sudo": ""}]},
            "$.users[0].sudo: must not be empty; true allows everything without a password",
        ),
        ({"users": [{"name": "a", "sudo": "ALL\nroot ALL"}]}, "$.users[0].sudo: holds a control character"),
        ({"services": {"enable": ["--now"]}}, '$.services.enable[0]: "--now" is not the name of a unit'),
        (
            {"services": {"enable": ["ssh"], "mask": ["ssh.service"]}},
            "$.services.mask[0]: ssh.service is also to be enabled",
        ),
        ({"services": {"start": ["ssh"]}}, "$.services.start: unknown key"),
        (
            {"sysctl": {"a b": 1}},
            '$.sysctl["a b"]: "a b" is not the name of a kernel setting such as net.ipv4.ip_forward',
        ),
        ({"sysctl": {"vm.swappiness": " "}}, '$.sysctl["vm.swappiness"]: must not be empty'),
        (
            {"sysctl": {"vm.swappiness": True}},
            '$.sysctl["vm.swappiness"]: must be a string or an integer, not true',
        ),
        ({"modules": ["../x"]}, '$.modules[0]: "../x" is not the name of a kernel module'),
        (
            {"kernel_parameters": ["quiet splash"]},
            '$.kernel_parameters[0]: "quiet splash" is not a kernel parameter; blanks, quotes and $ are not possible',
        ),
        (
            {"kernel_parameters": ["a=$(id)"]},
            '$.kernel_parameters[0]: "a=$(id)" is not a kernel parameter; blanks, quotes and $ are not possible',
        ),
        ({"timezone": "../../etc"}, '$.timezone: "../../etc" is not a time zone such as Europe/Berlin'),
        ({"locale": "german"}, '$.locale: "german" is not a locale such as en_US.UTF-8'),
        ({"hostname": "a_b"}, '$.hostname: "a_b" is not a host name of letters, digits, hyphens and dots'),
        ({"hostname": ".".join(["x" * 60] * 5)}, "$.hostname: longer than 253 characters"),
        ({"scripts": [{}]}, "$.scripts[0]: give content, or source: a file of this host"),
        (
            {"scripts": [{"content": "true\n"}]},
            "$.scripts[0].content: does not begin with #! and the program that is to read it, such as #!/bin/sh",
        ),
        (
            {"scripts": [{"source": __file__}]},
            "$.scripts[0].source: does not begin with #! and the program that is to read it, such as #!/bin/sh",
        ),
        ({"scripts": [{**SCRIPT, "timeout": 0}]}, "$.scripts[0].timeout: what was given is out of range (minimum: 1)"),
        ({"scripts": [{**SCRIPT, "network": "yes"}]}, "$.scripts[0].network: must be a boolean, not what was given"),
        ({"debconf": ["tzdata"]}, f"$.debconf[0]: {SELECTION}"),
        ({"debconf": ["tzdata tzdata/Areas choose Europe"]}, f"$.debconf[0]: {SELECTION}"),
        ({"debconf": ["# tzdata/Areas select Europe"]}, f"$.debconf[0]: {SELECTION}"),
        ({"debconf": ["tzdata tzdata/Areas select Europe\\"]}, f"$.debconf[0]: {SELECTION}"),
        ({"remove_packages": ["a=1"]}, '$.remove_packages[0]: "a=1" is not the name of a package'),
        (
            {"packages": ["acl=2"], "remove_packages": ["acl"]},
            "$.remove_packages[0]: acl is also wanted",
        ),
        (
            {"remove_packages": ["acl"], "holds": ["acl"]},
            "$.holds[0]: acl is also to be removed",
        ),
    ],
)
def test_a_problem(custom: dict[str, Any], problem: str) -> None:
    found = problems(**custom)
    assert len(found) == 1 and found[0].startswith(problem), found


def test_all_problems_at_once() -> None:
    found = problems(files=[{"path": "x"}], users=[{"name": "0"}], timezone="?", locale="?", holds=["-"])
    assert [one.partition(":")[0] for one in found] == [
        *("$.timezone", "$.locale", "$.holds[0]", "$.files[0].path", "$.files[0]", "$.users[0].name")
    ]


@pytest.mark.parametrize(
    "custom",
    [
        {"files": "s3cret"},
        {"files": [{"path": "/a", "content": ["s3cret"]}]},
        {"files": [{"path": 1, "content": "s3cret"}]},
        {"files": [{"path": "/a", "content": "s3cret", "source": "/b"}]},
        {"users": [{"name": "a", "hashed_password": "s3cret"}]},
        {"users": [{"name": "a", "hashed_password": ["s3cret"]}]},
        {"users": {"name": "a", "hashed_password": "s3cret"}},
        {"users": [{"name": "a", "keys": ["-----BEGIN OPENSSH PRIVATE KEY-----s3cret"]}]},
        {"scripts": [{"content": "s3cret"}]},
        {"scripts": ["s3cret"]},
        {"debconf": ["mysql-server mysql-server/root_password passwort s3cret"]},
        {"debconf": "s3cret"},
    ],
)
def test_what_may_be_secret_is_not_shown(custom: dict[str, Any]) -> None:
    assert "s3cret" not in "".join(problems(**custom))


def test_a_pipe_does_not_hold_us_up(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (found,) = problems(files=[{"path": "/a", "source": str(tmp_path / "pipe")}])
    assert found.endswith("pipe cannot be read: it is no regular file")
