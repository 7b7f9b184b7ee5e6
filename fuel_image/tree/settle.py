"""What every image needs besides its packages.

Owns the few files that debootstrap or an installer would have written, and the password. It must not undo anything;
``clean.py`` does.
"""

from __future__ import annotations

from fuel_image.request import Request
from fuel_image.tree import password
from fuel_image.tree.root import Tree

LOCKED = "*"
HOSTS = """\
127.0.0.1\tlocalhost
::1\t\tlocalhost ip6-localhost ip6-loopback
ff02::1\t\tip6-allnodes
ff02::2\t\tip6-allrouters
"""
_FILES = {
    "/etc/hostname": "localhost\n",
    "/etc/hosts": HOSTS,
    "/etc/fstab": "# UNCONFIGURED FSTAB FOR BASE SYSTEM\n",
}
_UNITS = "/etc/systemd/system"
_SSHD = "/usr/sbin/sshd"
_SSH_KEYS_UNIT = "ssh-host-keys.service"
# Not before ssh.socket: sockets start before any service like this one, so that systemd would drop one of the two.
_SSH_KEYS = """\
# Made by fuel-image: an image carries no host keys, so that no two machines share them.
[Unit]
Description=Generate missing SSH host keys
ConditionPathExists=!/etc/ssh/ssh_host_rsa_key
Before=ssh.service sshd.service
RequiresMountsFor=/etc/ssh

[Service]
Type=oneshot
ExecStart=/usr/bin/ssh-keygen -A

[Install]
WantedBy=multi-user.target
"""


def settle(tree: Tree, request: Request) -> None:
    """Write what the packages left open; never replace what one of them wrote."""
    for path, text in _FILES.items():
        if not tree.exists(path):
            tree.write(path, text)
    if tree.exists(_SSHD) and tree.is_dir(_UNITS):
        tree.write(f"{_UNITS}/{_SSH_KEYS_UNIT}", _SSH_KEYS)
        tree.mkdir(f"{_UNITS}/multi-user.target.wants")
        link = f"{_UNITS}/multi-user.target.wants/{_SSH_KEYS_UNIT}"
        if not tree.exists(link):
            tree.symlink(link, f"{_UNITS}/{_SSH_KEYS_UNIT}")
    if request.root_password is not None:
        salt = password.salt_from(f"{request.codename} {request.main_filename}")
        hashed = password.sha512_crypt(request.root_password, salt)
        password.set_root(tree, hashed)
    else:
        password.set_root(tree, request.hashed_root_password or LOCKED)
