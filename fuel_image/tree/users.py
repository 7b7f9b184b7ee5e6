"""Users that a request wants in the tree.

Owns how they are made, by the tree's own programs, which know its rules for numbers and directories; their passwords,
public keys and what sudo lets them do. A password is told to a program by its standard input, never by an argument.
"""

from __future__ import annotations

import difflib
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from fuel_image.customisation.asked import User
from fuel_image.errors import BuildError
from fuel_image.tree.chroot import Chroot
from fuel_image.tree.root import Tree

LOG = logging.getLogger(__name__)

_PASSWD, _GROUP = "/etc/passwd", "/etc/group"
_SUDOERS = "/etc/sudoers.d"
_USERADD = "/usr/sbin/useradd"
_SHELL = "/bin/bash"
_NUMBER = re.compile("[0-9]{1,9}")


@dataclass(frozen=True)
class Account:
    """A line of passwd(5)."""

    uid: int
    gid: int
    home: str


def make_all(chroot: Chroot, users: Sequence[User]) -> None:
    """Make users, or change those that are there. Raises BuildError."""
    if users and not chroot.tree.exists(_USERADD):
        raise BuildError("making users: the tree has no useradd", advice="add the package passwd")
    for user in users:
        _make(chroot, user)
        if user.hashed_password is not None:
            line = f"{user.name}:{user.hashed_password}\n"
            chroot.run("chpasswd", "--encrypted", stdin=line, doing=f"setting the password of {user.name}")
        if user.keys:
            _write_keys(chroot.tree, user)
        if user.sudo is not None:
            _allow_sudo(chroot, user, user.sudo)


def _make(chroot: Chroot, user: User) -> None:
    tree, doing = chroot.tree, f"making the user {user.name}"
    if user.shell is not None and not tree.exists(user.shell):
        raise BuildError(f"{doing}: the tree has no {user.shell}", advice="add the package that brings it")
    groups = _lines(tree, _GROUP)
    for group in user.groups:
        if group not in groups and group != user.name:
            LOG.info("making the group %s, which no package brings", group)
            chroot.run("groupadd", "--system", group, doing=f"making the group {group}")
    options: list[str] = []
    if user.uid is not None:
        options += ["--uid", str(user.uid)]
    others = ",".join(group for group in user.groups if group != user.name)
    if user.name in _lines(tree, _PASSWD):
        options += ["--shell", user.shell] if user.shell else []
        options += ["--move-home", "--home", user.home] if user.home else []
        options += ["--append", "--groups", others] if others else []
        if options:
            chroot.run("usermod", *options, user.name, doing=f"changing the user {user.name}")
        return
    if user.home is not None:
        tree.mkdir(str(PurePosixPath(user.home).parent))
        options += ["--home-dir", user.home]
    shell = user.shell or (_SHELL if tree.exists(_SHELL) else None)
    options += ["--shell", shell] if shell else []
    options += ["--groups", others] if others else []
    options += ["--gid", user.name] if user.name in groups else ["--user-group"]
    chroot.run("useradd", "--create-home", *options, user.name, doing=doing)


def _write_keys(tree: Tree, user: User) -> None:
    """Add the keys that are not there; the modes are those that sshd wants to see."""
    account = _account(tree, user.name, f"writing the keys of {user.name}")
    directory, path = f"{account.home}/.ssh", f"{account.home}/.ssh/authorized_keys"
    if not tree.is_dir(account.home):
        raise BuildError(f"writing the keys of {user.name}: there is no directory {account.home}")
    tree.mkdir(directory)
    tree.give(directory, account.uid, account.gid, 0o700)
    known = tree.read(path).removesuffix("\n").split("\n") if tree.is_file(path) else []
    more = [key for key in user.keys if key not in known]
    tree.write(path, "".join(f"{line}\n" for line in (*known, *more)), mode=0o600)
    tree.give(path, account.uid, account.gid, 0o600)


def _allow_sudo(chroot: Chroot, user: User, rule: str) -> None:
    doing = f"letting {user.name} use sudo"
    if not chroot.tree.is_dir(_SUDOERS):
        raise BuildError(f"{doing}: the tree has no sudo", advice="add the package sudo")
    chroot.tree.remove(f"{_SUDOERS}/{user.name}")  # whatever it was, it had other rights
    chroot.tree.write(f"{_SUDOERS}/{user.name}", f"{user.name} {rule}\n", mode=0o440)
    if chroot.tree.exists("/usr/sbin/visudo"):
        chroot.run("visudo", "--check", doing=doing, advice=f"write the sudo of {user.name} as in sudoers(5)")


def owner(tree: Tree, written: str, doing: str) -> tuple[int, int]:
    """Return the numbers of ``user:group``, or of a user and its group. Raises BuildError."""
    name, _, group = written.partition(":")
    if name.isdecimal():
        uid = gid = int(name)
    else:
        account = _account(tree, name, doing)
        uid, gid = account.uid, account.gid
    if group.isdecimal():
        gid = int(group)
    elif group:
        gid = int(_named(tree, _GROUP, group, f"{doing}: the tree has no group {group}")[2])
    return uid, gid


def _account(tree: Tree, name: str, doing: str) -> Account:
    fields = _named(tree, _PASSWD, name, f"{doing}: the tree has no user {name}")
    return Account(int(fields[2]), int(fields[3]), fields[5])


def _named(tree: Tree, path: str, name: str, message: str) -> list[str]:
    known = _lines(tree, path)
    if name not in known:
        close = difflib.get_close_matches(name, known, n=1)
        raise BuildError(message, advice=f"did you mean {close[0]}?" if close else "name it in users, too")
    return known[name]


def _lines(tree: Tree, path: str) -> dict[str, list[str]]:
    """Return the entries of passwd(5) or group(5) by name."""
    entries = [line.split(":") for line in tree.read(path).split("\n")] if tree.exists(path) else []
    numbers = {_PASSWD: slice(2, 4), _GROUP: slice(2, 3)}[path]
    return {one[0]: one for one in entries if len(one) > 3 and all(map(_NUMBER.fullmatch, one[numbers]))}
