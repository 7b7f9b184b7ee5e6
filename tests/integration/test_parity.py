"""The same packages as debootstrap and apt give for the same request."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from .images import ImageSet, installed


@pytest.mark.parametrize(("name", "script"), [("debian", ""), ("noble", "gutsy")])
def test_the_packages_are_those_of_debootstrap_and_apt(
    name: str, script: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """debootstrap's script for every Ubuntu is called gutsy; a Debian host's may not have all the newer names."""
    built: ImageSet = request.getfixturevalue(name)
    asked = json.loads((built.path.parent.parent / f"{name}.json").read_text())
    tree, base = tmp_path / "tree", asked["repos"][0]
    sources = "".join(f"deb [trusted=yes] {r['uri']} {r['suite']} {r['section']}\n" for r in asked["repos"])
    components = base["section"].replace(" ", ",")
    namespaces = ["unshare", "--mount", "--pid", "--fork", "--kill-child"]
    arguments = [str(tree), base["uri"], base["suite"], sources, components, script, *asked["packages"]]
    subprocess.run([*namespaces, "sh", "-eu", "-c", _SCRIPT, "sh", *arguments], check=True, stdout=subprocess.DEVNULL)
    assert {one["name"]: one["version"] for one in built.record["installed"]} == installed(tree)


_SCRIPT = """
tree=$1 uri=$2 suite=$3 sources=$4 components=$5 script=$6
shift 6
options="--variant=minbase --no-check-gpg --components=$components"
debootstrap $options "$suite" "$tree" "$uri" $script > "$tree.log" 2>&1
printf '%s' "$sources" | sed 's/^ *//' > "$tree/etc/apt/sources.list"
printf '#!/bin/sh\\nexit 101\\n' > "$tree/usr/sbin/policy-rc.d"
chmod +x "$tree/usr/sbin/policy-rc.d"
mount -t proc proc "$tree/proc"
export DEBIAN_FRONTEND=noninteractive LC_ALL=C PATH=/usr/sbin:/usr/bin:/sbin:/bin
apt="chroot $tree apt-get -y -q -o APT::Install-Recommends=false -o APT::Get::Always-Include-Phased-Updates=true"
apt="$apt -o Dpkg::Options::=--force-unsafe-io"
$apt update
$apt dist-upgrade
$apt install "$@"
"""
