"""The same packages as debootstrap and apt give for the same request."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from .images import ImageSet, installed


def test_the_packages_are_those_of_debootstrap_and_apt(noble: ImageSet, tmp_path: Path) -> None:
    request = json.loads((noble.path.parent.parent / "noble.json").read_text())
    tree = tmp_path / "tree"
    base = request["repos"][0]
    subprocess.run(
        [
            "unshare",
            "--mount",
            "--pid",
            "--fork",
            "--kill-child",
            "sh",
            "-eu",
            "-c",
            _SCRIPT,
            "sh",
            tree,
            base["uri"],
            base["suite"],
        ]
        + [" ".join(f"deb [trusted=yes] {r['uri']} {r['suite']} {r['section']}\n" for r in request["repos"])]
        + request["packages"],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    theirs = installed(tree)
    ours = {one["name"]: one["version"] for one in noble.record["installed"]}
    assert ours == theirs


_SCRIPT = """
tree=$1 uri=$2 suite=$3 sources=$4
shift 4
# The script for every Ubuntu; the name says since when.
debootstrap --variant=minbase --no-check-gpg --components=main,universe "$suite" "$tree" "$uri" gutsy > "$tree.log" 2>&1
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
