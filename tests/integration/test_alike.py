"""The tree that elements make here is the one that they make with diskimage-builder, but for what is listed."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import stat
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

import fuel_image

from .conftest import Fuel, metadata_of, sample
from .images import ImageSet, output_of
from .test_elements import elements as their_elements
from .test_elements import their_python

__all__ = ["their_elements", "their_python"]

pytestmark = [pytest.mark.integration, pytest.mark.thorough]

PACKAGE = Path(fuel_image.__file__).parent
ELEMENTS = (
    *("base", "growroot", "devuser", "dynamic-login", "openssh-server", "runtime-ssh-host-keys", "element-manifest"),
    *("cloud-init", "cloud-init-datasources", "journal-to-console", "svc-map", "sysctl", "select-boot-kernel-initrd"),
    *("ensure-venv", "cache-url", "disable-nouveau", "baremetal"),
)
VARIABLES = {
    "DIB_DEV_USER_USERNAME": "somebody",
    "DIB_DEV_USER_PASSWORD": "Pl4nted",
    "DIB_DEV_USER_PWDLESS_SUDO": "yes",
    "DIB_CLOUD_INIT_DATASOURCES": "NoCloud, ConfigDrive",
    "DIB_PYTHON_VERSION": "3",
}
LEFT_OVER = r"(dev|proc|run|sys|tmp)/.*|var/(cache|log|tmp)/.*|var/lib/apt/lists/.*|.*/__pycache__(/.*)?|lost\+found"
HELPERS = r"usr/local/bin/(dib-init-system|install-packages|package-(un)?installs(-squash|-v2)?|pkg-map|svc-map)"
MANIFESTS = r"etc/dib-manifests/(dib-manifest-dpkg-.*|dib-element-manifest|dib_arguments|dib_environment)"
DIFFERENT = {
    LEFT_OVER: "caches, logs, and what belongs to the machine that builds",
    r"etc/(\.pwd\.lock|(group|gshadow|passwd|shadow|subgid|subuid)-)": "locks and backups",
    r"var/lib/dpkg/(arch|available|lock|lock-frontend|[a-z]+-old|triggers/Lock)": "locks and backups",
    HELPERS: "of use to hooks alone; theirs stay in the image",
    r"usr/share/(pkg-map|svc-map)(/.*)?": "of use to hooks alone; theirs stay in the image",
    r"etc/apt/(sources\.list|sources\.list\.d/.*|keyrings)": "the same repositories, in one file",
    MANIFESTS: "named after the image; in an order that is another each time; with secrets",
    r"etc/(group|gshadow|passwd|shadow|subgid|subuid|nsswitch\.conf|shells)": "accounts of the other packages",
    r"etc/(hostname|fstab|resolv\.conf)": "theirs is 0755; written by the block device layer; the build host's",
    r"etc/(machine-id|ssh/ssh_host.*|iscsi/initiatorname\.iscsi)|var/lib/dbus/machine-id": "the machine's own",
    r"etc/systemd/system/(.*/)?ssh-host-keys\.service": "makes host keys at the first boot",
    r"(etc|usr/lib|var/lib)/systemd/.*(timesync|ntp-units).*": "of a package that only theirs has",
    r"(etc|usr/share)/polkit-1/rules\.d|var/lib/polkit-1": "the number of the account",
    r"etc/ld\.so\.cache|var/lib/apt/extended_states|var/lib/dpkg/status": "of all packages",
    r"boot/initrd\.img-.*": "has in it the time at which it was made",
}
"""What is not the same, and why: whole paths, as regular expressions."""
MOST_OTHER_PACKAGES = 20
"""What is recommended by what their root.d installs, where apt still follows recommendations, and usrmerge."""


def listing(root: Path) -> dict[str, tuple[object, ...]]:
    """Return type, mode, owner and content of everything below *root*."""
    found: dict[str, tuple[object, ...]] = {}
    for top, directories, names in os.walk(root):
        for path in (Path(top, name) for name in (*directories, *names)):
            facts = path.lstat()
            content = ""
            if stat.S_ISLNK(facts.st_mode):
                content = os.readlink(path)
            elif stat.S_ISREG(facts.st_mode):
                content = hashlib.sha256(path.read_bytes()).hexdigest()
            found[str(path.relative_to(root))] = (oct(facts.st_mode), facts.st_uid, facts.st_gid, content)
    return found


def packages(root: Path) -> dict[str, set[str]]:
    """Return the files of each installed package, by its name."""
    info = root / "var/lib/dpkg/info"
    return {
        path.name.partition(".list")[0].partition(":")[0]: {line.lstrip("/") for line in path.read_text().splitlines()}
        for path in info.glob("*.list")
    }


def theirs(python: Path, system: str, repositories: list[Mapping[str, str]], workspace: Path) -> Path:
    """Let diskimage-builder make the tree; return it."""
    (workspace / "bin").mkdir(parents=True)
    shutil.copy(PACKAGE / "elements/lib/sudo", workspace / "bin/sudo")
    base = repositories[0]
    security = next(one["uri"] for one in repositories if "security" in one["suite"])
    keyring = workspace / "keyring.gpg"
    output_of("gpg", "--batch", "--dearmor", "--output", keyring, PACKAGE / "keys/ubuntu-archive.asc")
    environment = {
        **VARIABLES,
        "PATH": f"{workspace}/bin:{python.parent}:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": "/root",
        "USER": "root",
        "TMP_DIR": str(workspace),
        "TMPDIR": str(workspace),
        "DIB_IMAGE_CACHE": f"{workspace}/cache",
        "DIB_RELEASE": base["suite"],
        "DIB_DISTRIBUTION_MIRROR": base["uri"],
        "DIB_DEBIAN_SECURITY_MIRROR": security,
        "DIB_DEBIAN_COMPONENTS": base["section"].replace(" ", ","),
        "DIB_UBUNTU_MIRROR_DISTS": "updates,security",
        "break": "",
    }
    if system == "ubuntu-minimal":
        environment["DIB_MMDEBSTRAP_EXTRA_ARGS"] = environment["DIB_DEBOOTSTRAP_EXTRA_ARGS"] = f"--keyring={keyring}"
    argv = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    argv += [f"{python.parent}/disk-image-create", "--no-tmpfs", "-t", "tar", "-o", f"{workspace}/made"]
    with (workspace / "log").open("w") as log:
        ended = subprocess.run(
            [*argv, system, *ELEMENTS], check=False, cwd=workspace, env=environment, stdout=log, stderr=log
        )
    assert ended.returncode == 0, (workspace / "log").read_text()[-4000:]
    tree = workspace / "tree"
    tree.mkdir()
    subprocess.run(["tar", "-C", tree, "--numeric-owner", "-xpf", workspace / "made.tar"], check=True)
    return tree


def differences(ours: Path, other: Path) -> Iterator[str]:
    """Give what is different between two trees, but for what is listed, and the files of packages that one lacks."""
    own, their = packages(ours), packages(other)
    of_one = {path for name in own.keys() ^ their.keys() for path in own.get(name, their.get(name, set()))}
    prefixes = tuple(f"var/lib/dpkg/info/{name}{end}" for name in own.keys() ^ their.keys() for end in (".", ":"))
    here, there = listing(ours), listing(other)
    for path in sorted(here.keys() | there.keys()):
        listed = path in of_one or path.startswith(prefixes) or any(re.fullmatch(one, path) for one in DIFFERENT)
        if not listed and here.get(path) != there.get(path):
            yield f"{path}: {here.get(path)} instead of {there.get(path)}"


@pytest.mark.parametrize(("suite", "system"), [(None, "debian-minimal"), ("noble", "ubuntu-minimal")])
def test_the_tree_is_theirs(
    suite: str | None, system: str, fuel: Fuel, their_python: Path, their_elements: Path, tmp_path: Path
) -> None:
    request = sample(suite, tmp_path / "output")
    request["image_data"] = {"/": {"uri": "http://127.0.0.1/node.img", "format": "ext4", "container": "raw"}}
    request.update(packages=[], elements=[system, *ELEMENTS], environment=VARIABLES)
    request["elements_path"] = [str(their_elements)]
    fuel(request)
    other = theirs(their_python, system, request["repos"], tmp_path / "theirs")
    with ImageSet(metadata_of(request)).mounted("/", tmp_path) as root:
        own, their = packages(root), packages(other)
        assert own.keys() - their.keys() <= {"usr-is-merged"}
        assert len(their.keys() - own.keys()) < MOST_OTHER_PACKAGES, their.keys() - own.keys()
        assert list(differences(root, other)) == []
    shutil.rmtree(tmp_path / "theirs")
