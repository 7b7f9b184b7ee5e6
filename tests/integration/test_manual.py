"""By hand in a root shell: a look at the tree, a shell where a step failed, and a look at what was published."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pexpect
import yaml

from . import repository
from .conftest import PROGRAM, SMALL, Fuel, Request, metadata_of, sample
from .images import ImageSet, installed
from .servers import directory

PATIENCE_SECONDS = 120
PROMPT = r"\(tree\)[^\n]*# "


def said(*arguments: object, expect: int = 0) -> str:
    ended = subprocess.run([*PROGRAM, *map(str, arguments)], check=False, capture_output=True, text=True)
    assert ended.returncode == expect, ended.stderr
    return ended.stdout


def test_a_kept_tree_is_what_the_image_holds(fuel: Fuel, debian: ImageSet, tmp_path: Path) -> None:
    request: Request = json.loads((debian.path.parent.parent / "debian.json").read_text())
    kept = tmp_path / "tree"
    fuel(request, "--keep-tree", str(kept))
    assert "libcap2-bin" in installed(kept)
    with debian.mounted("/", tmp_path) as image:
        compared = subprocess.run(
            ["rsync", "-aHAXn", "--delete", "--itemize-changes", "--exclude=/boot/**", "--exclude=/lost+found",
             f"{kept}/", f"{image}/"],
            check=True, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
    # The image's own root directory has a time of its own, the copy's is closed.
    assert [line for line in compared.stdout.splitlines() if not line.endswith(" ./")] == []
    assert kept.stat().st_mode & 0o7777 == 0o700
    again = fuel(request, "--keep-tree", str(kept), expect=3).stderr
    assert f"keeping the tree: {kept} is there already" in again
    subprocess.run(["rm", "-r", kept], check=True)


def failing(tmp_path: Path) -> Request:
    deb = repository.package(tmp_path, "broken", postinst="#!/bin/sh\necho cannot go on >&2\nexit 7\n")
    request = sample(None, tmp_path / "output", packages=["broken"])
    request["repos"].append({"name": "own", "uri": repository.flat(tmp_path, deb), "suite": "/", "trusted": True})
    return request


def test_a_shell_in_the_tree_where_a_step_failed(cache_dir: Path, tmp_path: Path) -> None:
    arguments = ["-m", "fuel_image", "--shell", "--work-dir", f"{tmp_path}/work", "--cache-dir", str(cache_dir)]
    child = pexpect.spawn(
        sys.executable, [*arguments, json.dumps(failing(tmp_path))], timeout=PATIENCE_SECONDS, encoding="utf-8"
    )
    child.expect("broken.*cannot go on.*This is a shell in the tree")
    child.expect(PROMPT)
    child.sendline(
        "dpkg-query -W -f '${Package}=${db:Status-Status}\\n' broken; ls /proc/1/comm > /dev/null && echo is$((1))in"
    )
    child.expect("broken=half-configured")
    child.expect("is1in")
    child.sendline("sleep 60")
    child.sendintr()  # ends what runs in the shell, not the build
    child.expect(PROMPT)
    child.sendline("touch /root/was-here; exit 0")
    child.expect("error: installing packages")
    child.expect(pexpect.EOF)
    child.wait()
    assert child.exitstatus == 1
    assert list((tmp_path / "work").iterdir()) == []


def test_a_shell_takes_a_terminal(fuel: Fuel, tmp_path: Path) -> None:
    assert "--shell needs a terminal" in fuel(failing(tmp_path), "--shell", expect=3).stderr


def test_a_set_is_verified_shown_and_compared_where_it_is_served(debian: ImageSet, noble: ImageSet) -> None:
    with directory(debian.path.parent) as url:
        served = f"{url}/{debian.path.name}"
        lines = said("verify", served).splitlines()
        assert [line.partition(": as recorded (")[0] for line in lines] == [
            image["container_name"] for image in debian.record["images"]
        ]
        assert f"packages: {len(SMALL)} asked for, {len(debian.record['installed'])} installed" in said("show", served)
        compared = said("compare", served, noble.path)
    here = {one["name"]: one["version"] for one in debian.record["installed"]}
    there = {one["name"]: one["version"] for one in noble.record["installed"]}
    assert f"{len(there.keys() - here.keys())} added, {len(here.keys() - there.keys())} removed" in compared
    for name in here.keys() & there.keys():
        if here[name] != there[name]:
            order = "lt" if f"  ^ {name} {here[name]} -> {there[name]}" in compared else "gt"
            subprocess.run(["dpkg", "--compare-versions", here[name], order, there[name]], check=True)


def test_the_site_s_configuration(fuel: Fuel, tmp_path: Path) -> None:
    """What a site sets is set, and the hooks are told."""
    tell = tmp_path / "tell"
    tell.write_text(f'#!/bin/sh\nnproc >> {tmp_path}/told\necho "$1 $FUEL_IMAGE_ERROR" >> {tmp_path}/told\n')
    tell.chmod(0o755)
    site = {
        "cpus": 1,
        "connections": 1,
        "log_file": f"{tmp_path}/fuel-agent-env-{{cluster}}.log",
        "hooks": {"published": [str(tell)], "failed": [str(tell)]},
    }
    (tmp_path / "site.yaml").write_text(yaml.safe_dump(site))
    request = sample(None, tmp_path / "output", packages=[])
    request["image_data"] = {"/": {"uri": "http://127.0.0.1/env_4_node.img.gz", "format": "ext4", "container": "gzip"}}
    fuel(request, "--config", str(tmp_path / "site.yaml"))
    cpus, told = (tmp_path / "told").read_text().splitlines()
    assert (cpus, told) == ("1", f"{metadata_of(request)} ")
    assert "do_build_image" in (tmp_path / "fuel-agent-env-4.log").read_text()
    fuel(request, "--config", str(tmp_path / "site.yaml"))
    assert len((tmp_path / "told").read_text().splitlines()) == 2, "nothing was published, so nobody is told"
    (tmp_path / "told").unlink()
    fuel({**request, "packages": ["no-such-package"]}, "--config", str(tmp_path / "site.yaml"), expect=2)
    assert "no repository holds no-such-package" in (tmp_path / "told").read_text()


def test_the_cache_is_listed_explained_and_pruned(fuel: Fuel, cache_dir: Path, tmp_path: Path) -> None:
    own = tmp_path / "cache"
    own.mkdir()
    subprocess.run(["cp", "-a", "--reflink=auto", cache_dir / "pool", own], check=True)
    request = sample(None, tmp_path / "output", packages=["libcap2-bin"])
    fuel(request, "--cache-dir", str(own))
    listed = said("cache", "list", "--cache-dir", own).splitlines()
    assert listed[0].startswith("layers: 2, ")
    assert {line.split("MB  ")[1].partition(" (")[0] for line in listed[1:3]} == {"The base system", "The packages"}
    explained = said("cache", "explain", "--cache-dir", own, "--work-dir", tmp_path, json.dumps(request))
    assert explained == "The base system: kept\nThe packages: kept\n"
    (tmp_path / "site.yaml").write_text("layers_limit: 1\npackages_limit: 1TiB\n")
    pruned = said("cache", "prune", "--cache-dir", own, "--config", tmp_path / "site.yaml").splitlines()
    assert pruned[0].startswith("layers: 0, ")
    assert not pruned[1].startswith("fetched files: 0,")
    assert said("cache", "prune", "--all", "--cache-dir", own).splitlines()[1].startswith("fetched files: 0, ")
    assert [path for path in own.rglob("*") if path.is_file()] == []
    assert "The base system: would be made: no build has made one yet" in said(
        "cache", "explain", "--cache-dir", own, "--work-dir", tmp_path, json.dumps(request)
    )
