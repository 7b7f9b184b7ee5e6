"""What must not be in an image.

Owns the removal of what a build leaves in a tree: caches, logs, backups, and everything by which two machines made
from one image would be the same (machine-id, ssh host keys, random seeds). It runs last, after every program that
could make these anew. It must not remove what a package ships.
"""

from __future__ import annotations

import fnmatch

from fuel_image.tree.root import Tree

_EMPTIED = (
    "/run",
    "/tmp",
    "/var/tmp",
    "/var/lib/apt/lists/partial",
    "/var/cache/apt/archives/partial",
    "/var/lib/dhcp",
)
_REMOVED = (
    "/etc/.pwd.lock",
    "/etc/passwd-",
    "/etc/shadow-",
    "/etc/group-",
    "/etc/gshadow-",
    "/etc/subuid-",
    "/etc/subgid-",
    "/etc/ssh/ssh_host_*_key",
    "/etc/ssh/ssh_host_*_key.pub",
    "/root/[.]*_history",
    "/var/cache/apt/*.bin",
    "/var/cache/apt/archives/*",
    "/var/lib/apt/lists/*",
    "/var/cache/debconf/*-old",
    "/var/cache/ldconfig/aux-cache",
    "/var/lib/dbus/machine-id",
    "/var/lib/dpkg/*-old",
    "/var/lib/dpkg/lock*",
    "/var/lib/dpkg/triggers/Lock",
    "/var/lib/systemd/random-seed",
    "/var/lib/systemd/credential.secret",
    "/var/lib/urandom/random-seed",
)
_KEPT_LOGS = ("btmp", "faillog", "lastlog", "wtmp")
"""Made by base-files' postinst with the modes that login needs: emptied, not removed."""
_LOGS = "/var/log"
_MACHINE_ID = "/etc/machine-id"


def removes(path: str) -> bool:
    """Tell whether a file at *path* would not be there any more after ``clean``."""
    directory, _, name = path.rpartition("/")
    patterns = (pattern.rpartition("/") for pattern in (*_REMOVED, _MACHINE_ID))
    named = any(directory == where and fnmatch.fnmatch(name, names) for where, _, names in patterns)
    return named or any(path.startswith(f"{where}/") for where in (*_EMPTIED, _LOGS))


def clean(tree: Tree) -> None:
    """Remove everything that the tables above name."""
    for path in _EMPTIED:
        tree.empty(path)
    for pattern in _REMOVED:
        directory, _, names = pattern.rpartition("/")
        for name in fnmatch.filter(tree.names(directory), names):
            if not tree.is_dir(f"{directory}/{name}"):
                tree.remove(f"{directory}/{name}")
    for path in list(tree.walk_files(_LOGS)):
        if path.rpartition("/")[2] in _KEPT_LOGS and tree.is_file(path):
            tree.truncate(path)
        else:
            tree.remove(path)
    # An empty file is filled at the first boot; "uninitialized" would also make systemd-firstboot ask questions
    # (machine-id(5)).
    if tree.exists(_MACHINE_ID):
        tree.remove(_MACHINE_ID)
        tree.write(_MACHINE_ID, "", mode=0o444)
