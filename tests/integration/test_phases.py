"""Builds with elements: made ones, which tell what they saw, and diskimage-builder's own, unmodified."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pexpect
import pytest

from tests.unit.elements.making import written

from .conftest import Fuel, Request, metadata_of, sample
from .images import ImageSet
from .test_elements import elements as their_elements
from .test_elements import their_python
from .test_manual import PATIENCE_SECONDS, PROMPT

__all__ = ["their_elements", "their_python"]

pytestmark = pytest.mark.integration

KEPT = "kept from an earlier build"
SECRET = "Pl4nted"
TELL = """\
#!/bin/bash
set -eu
echo "$(basename "$0") $(basename "$(dirname "$0")") ${TARGET_ROOT:+root}" >> %s/var/lib/told
"""
OUTSIDE, INSIDE = TELL % "$TMP_MOUNT_PATH", TELL % ""
ELEMENTS = {
    "debian-minimal/element-provides": "operating-system\n",
    "debian-minimal/environment.d/10-debian": "export DISTRO_NAME=debian\n[ -v DIB_MINE ] || return 0\n",
    "*base-of-all/root.d/10-a": OUTSIDE,
    "*base-of-all/extra-data.d/9-b": OUTSIDE + "cp /etc/hostname $TMP_HOOKS_PATH/from-the-host\n",
    "*base-of-all/extra-data.d/10-c": OUTSIDE + "cd $TMP_HOOKS_PATH/install.d\ninstall -m 755 20-e 30-f\n",
    "*base-of-all/pre-install.d/10-d": INSIDE
    + "test -f /tmp/in_target.d/from-the-host\n! touch /tmp/in_target.d/x 2>/dev/null\n",
    "*base-of-all/install.d/20-e": INSIDE,
    "*base-of-all/post-root.d/10-g": OUTSIDE,
    "*base-of-all/finalise.d/10-h": INSIDE
    + "eval declare -A all=($(get_image_element_array))\necho ${!all[*]} > /srv/elements\n",
    "*base-of-all/cleanup.d/10-i": OUTSIDE
    + 'echo "$DIB_MINE" > $TARGET_ROOT/srv/mine\nenv > $TARGET_ROOT/srv/variables\n',
    "base-of-all/element-deps": "debian-minimal\n",
    "*last/post-install.d/10-last": INSIDE,
}
TOLD = [
    "10-a root.d root",
    "9-b extra-data.d",
    "10-c extra-data.d",
    "10-d pre-install.d",
    "20-e install.d",
    "30-f install.d",
    "10-last post-install.d",
    "10-g post-root.d",
    "10-h finalise.d",
    "10-i cleanup.d root",
]


def asked(top: Path, *elements: str, **changes: Any) -> Request:
    request = sample(None, top / "output")
    request.update(packages=[], elements=list(elements), elements_path=[str(top / "elements")], **changes)
    request["image_data"] = {"/": {"uri": "http://127.0.0.1/node.img", "format": "ext4", "container": "raw"}}
    (top / "output").mkdir(exist_ok=True)
    return request


def read(request: Request, workspace: Path, *paths: str) -> Mapping[str, str]:
    with ImageSet(metadata_of(request)).mounted("/", workspace) as root:
        return {path: (root / path).read_text() if (root / path).is_file() else "" for path in paths}


def told(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines()]


def test_every_phase(fuel: Fuel, tmp_path: Path) -> None:
    written(tmp_path / "elements", ELEMENTS)
    request = asked(tmp_path, "last", "base-of-all", environment={"DIB_MINE": "its value"})
    fuel(request)
    found = read(request, tmp_path, "var/lib/told", "srv/mine", "srv/elements", "srv/variables", "tmp/in_target.d/x")
    assert told(found["var/lib/told"]) == TOLD
    assert found["srv/mine"] == "its value\n"
    assert set(found["srv/elements"].split()) == {"debian-minimal", "base-of-all", "last"}
    variables = dict(line.partition("=")[::2] for line in found["srv/variables"].splitlines())
    assert variables["DISTRO_NAME"] == "debian" and variables["IMAGE_ELEMENT"] == "debian-minimal base-of-all last"
    assert variables["TARGET_ROOT"] == variables["TMP_MOUNT_PATH"] and variables["DIB_RELEASE"] == request["codename"]
    assert {"systemd-sysv", "sudo", "python3"} <= {
        one["name"] for one in ImageSet(metadata_of(request)).record["installed"]
    }


def test_what_changes_runs_again(fuel: Fuel, tmp_path: Path) -> None:
    """And what comes after it; what comes before is kept."""
    written(tmp_path / "elements", ELEMENTS)
    request = asked(
        tmp_path, "last", "base-of-all", environment={"DIB_MINE": secrets.token_hex(8)}
    )  # no earlier run of tests has it
    fuel(request)
    written(tmp_path / "elements", {"*last/post-install.d/10-last": f"{INSIDE}echo changed >> /var/lib/told\n"})
    said = fuel(request).stderr
    for phase in ("root", "extra-data", "pre-install", "install"):
        assert f"The phase {phase}: {KEPT}" in said, said
    assert "Phase post-install:" in said and "Phase cleanup:" in said
    assert told(read(request, tmp_path, "var/lib/told")["var/lib/told"]) == [*TOLD[:7], "changed", *TOLD[7:]]


def test_a_hook_that_fails_is_named(fuel: Fuel, tmp_path: Path) -> None:
    hook = "#!/bin/sh\necho this is what it says\nexit 7\n"
    for phase in ("extra-data", "install"):
        written(tmp_path / "elements", {**ELEMENTS, f"*last/{phase}.d/50-breaks": hook})
        said = fuel(asked(tmp_path, "last", "base-of-all"), expect=1).stderr
        assert f"running {phase}.d/50-breaks of the element last: " in said
        assert "50-breaks ended with exit code 7\n    | this is what it says\n  what to do: " in said
        assert "--shell" in said
        (tmp_path / f"elements/last/{phase}.d/50-breaks").unlink()
    assert list((tmp_path / "output").iterdir()) == []


def test_a_shell_where_a_hook_failed(cache_dir: Path, tmp_path: Path) -> None:
    """It has what the hook had: the variables, and the host's network."""
    written(tmp_path / "elements", {**ELEMENTS, "*last/install.d/50-breaks": "#!/bin/sh\nexit 7\n"})
    request = asked(tmp_path, "last", "base-of-all", environment={"DIB_MINE": "its own"})
    arguments = ["-m", "fuel_image", "--shell", "--work-dir", f"{tmp_path}/work", "--cache-dir", str(cache_dir)]
    child = pexpect.spawn(sys.executable, [*arguments, json.dumps(request)], timeout=PATIENCE_SECONDS, encoding="utf-8")
    child.expect("50-breaks ended with exit code 7.*This is a shell in the tree")
    child.expect(PROMPT)
    child.sendline('echo "is-$DIB_MINE-$DISTRO_NAME"; ls -d /tmp/in_target.d/install.d; readlink /proc/self/ns/net')
    child.expect("is-its own-debian")
    child.expect("/tmp/in_target.d/install.d")
    child.expect_exact(os.readlink("/proc/self/ns/net"))
    child.sendline("exit 0")
    child.expect("error: running install.d/50-breaks")
    child.expect(pexpect.EOF)
    child.wait()
    assert child.exitstatus == 1


def test_an_environment_that_fails_is_named(fuel: Fuel, tmp_path: Path) -> None:
    broken = {"last/environment.d/99-broken": "echo it lacks something >&2\nexit 3\n"}
    written(tmp_path / "elements", {**ELEMENTS, **broken})
    said = fuel(asked(tmp_path, "last", "base-of-all"), expect=1).stderr
    assert "reading environment.d for the phase root: bash ended with exit code 3" in said
    assert "99-broken\n    | it lacks something" in said


def test_the_host_is_out_of_reach(fuel: Fuel, tmp_path: Path) -> None:
    """Of hooks that run there and mean no harm: they write to a host that is read-only, and to a /tmp that vanishes."""
    mark = tmp_path / "mark"  # it lies in /tmp, as a rule
    hook = f"""#!/bin/bash -eu
touch {mark} /tmp/of-a-hook
for place in /etc /usr/bin /var/lib /srv /root; do
    ! touch $place/of-a-hook 2> /dev/null
done
test ! -e /dev/loop-control
sudo -E mount -t tmpfs none $TMP_MOUNT_PATH/mnt
touch $TMP_MOUNT_PATH/mnt/x $DIB_IMAGE_CACHE/of-a-hook $IMAGE_NAME.txt
sudo -u root MINE=1 sh -c 'test $MINE = 1'
"""
    written(tmp_path / "elements", {**ELEMENTS, "*last/extra-data.d/50-writes": hook})
    fuel(asked(tmp_path, "last", "base-of-all", environment={"DIB_MINE": ""}))
    assert not mark.exists() and not Path("/tmp/of-a-hook").exists()


def test_secrets_stay_out(fuel: Fuel, cache_dir: Path, tmp_path: Path) -> None:
    written(tmp_path / "elements", ELEMENTS)
    (tmp_path / "elements/base-of-all/cleanup.d/10-i").unlink()
    request = asked(tmp_path, "last", "base-of-all", environment={"DIB_MINE": SECRET})
    said = fuel(request, "--log-file", str(tmp_path / "log")).stderr
    assert SECRET not in said + (tmp_path / "log").read_text() + metadata_of(request).read_text()
    records = [path.read_bytes() for path in (cache_dir / "layers").glob("*/record.json")]
    assert records and not any(SECRET.encode() in record for record in records)


def test_their_elements(fuel: Fuel, their_elements: Path, tmp_path: Path) -> None:
    """What they make is there, and what helped them is not."""
    names = ["debian-minimal", "growroot", "devuser", "sysctl", "svc-map", "element-manifest", "baremetal"]
    variables = {"DIB_DEV_USER_USERNAME": "somebody", "DIB_DEV_USER_PASSWORD": SECRET}
    request = asked(tmp_path, *names, environment=variables)
    request["elements_path"] = [str(their_elements)]
    fuel(request)
    paths = (
        "etc/passwd",
        "etc/dib-manifests/dib-element-manifest",
        "etc/dib-manifests/dib_environment",
        "etc/hostname",
    )
    found = read(request, tmp_path, *paths)
    assert "\nsomebody:" in found["etc/passwd"]
    assert {"growroot", "package-installs"} <= set(found["etc/dib-manifests/dib-element-manifest"].split())
    assert SECRET not in "".join(found.values())
    assert found["etc/hostname"] == "debian\n"
    with ImageSet(metadata_of(request)).mounted("/", tmp_path) as root:
        assert list((root / "boot").glob("vmlinuz-*")) and list((root / "boot").glob("initrd.img-*"))
        assert not (root / "usr/local/bin/install-packages").exists()
        assert not (root / "usr/share/pkg-map").exists() and not list((root / "tmp").iterdir())
        listed = subprocess.run(["chroot", root, "dpkg", "--audit"], check=True, stdout=subprocess.PIPE, text=True)
        assert listed.stdout == ""
    manifest = json.dumps(ImageSet(metadata_of(request)).record)
    assert SECRET not in manifest
