"""What packages have done many times while they are configured, done once at the end.

Owns the programs that stand in, on the PATH of maintainer scripts, for those that make what later packages make stale
again (initial RAM disks), that could as well run side by side (Python's byte-compilation), or whose result never gets
into an image (ssh host keys). A stand-in notes how it was called; ``run`` then calls the real program. It lies in /run,
a tmpfs: the tree is not touched. It must not stand in for anything whose result another package's script may need.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass, replace

from fuel_image.errors import BuildError
from fuel_image.host import command
from fuel_image.host.command import PATH
from fuel_image.host.cpus import cpus
from fuel_image.host.tasks import together
from fuel_image.tree.chroot import Chroot

_DIRECTORY = "/run/deferred"
DPKG_PATH = f"{_DIRECTORY}:{PATH}"
# Quoted, so that a shell reads it back as it was.
_NOTE = rf"""call=
for argument; do
    case "$argument" in *\'*) argument=$(printf '%s' "$argument" | sed "s/'/'\\\\''/g") ;; esac
    call="$call '$argument'"
done
printf '%s\n' "${{call# }}" >> {_DIRECTORY}/$(basename "$0").calls
"""

# Kernel hooks that run after an initial RAM disk was made may want it (a boot loader's): unless we know that they do
# not, it is made at once. A name with a dot, such as that of a conffile not yet in place, is no hook (run-parts(8)).
# zz-update-grub does nothing without a grub.cfg.
_UPDATE_INITRAMFS = f"""\
case "$1" in -c | -u) ;; *) exec /usr/sbin/update-initramfs "$@" ;; esac
for hook in /etc/kernel/postinst.d/*; do
    case "${{hook##*/}}" in
    *[!a-zA-Z0-9_-]*) ;;
    initramfs-tools | xx-update-initrd-links | unattended-upgrades | update-notifier | dracut) ;;
    zz-update-grub) [ ! -e /boot/grub/grub.cfg ] || exec /usr/sbin/update-initramfs "$@" ;;
    *) exec /usr/sbin/update-initramfs "$@" ;;
    esac
done
{_NOTE}
"""
_SSH_KEYGEN = """\
case " $* " in *" -f /etc/ssh/ssh_host_"*) exit 0 ;; esac
exec /usr/bin/ssh-keygen "$@"
"""


@dataclass(frozen=True)
class _StandIn:
    """What stands in for the *program*, which one of *packages* brings."""

    program: str
    script: str
    packages: tuple[str, ...]


_STAND_INS = (
    _StandIn("/usr/sbin/update-initramfs", _UPDATE_INITRAMFS, ("initramfs-tools", "dracut")),
    _StandIn("/usr/bin/py3compile", _NOTE, ("python3-minimal",)),
    _StandIn("/usr/bin/ssh-keygen", _SSH_KEYGEN, ("openssh-client",)),
)


def set_up(chroot: Chroot, coming: frozenset[str]) -> Chroot:
    """Put the stand-ins into the tree's /run and return a way to run programs that finds them first.

    Only what is in the tree, or comes with one of the packages named in *coming*, has a stand-in: scripts ask whether
    there is such a program.
    """
    chroot.tree.mkdir(_DIRECTORY)
    for one in _STAND_INS:
        if chroot.tree.exists(one.program) or not coming.isdisjoint(one.packages):
            name = one.program.rpartition("/")[2]
            chroot.tree.write(f"{_DIRECTORY}/{name}", f"#!/bin/sh\n{one.script}", mode=0o755)
    return replace(chroot, environment={**chroot.environment, "PATH": DPKG_PATH})


def run(chroot: Chroot) -> None:
    """Do what was put off, on two CPUs if there are two; *chroot* must find the real programs.

    What is compiled does not go into an initial RAM disk: those need not wait for it.
    """
    with together(cpus(), command.end_running) as tasks:
        tasks.start(_compile_modules, chroot)
        tasks.start(_make_initial_ram_disks, chroot)


def _compile_modules(chroot: Chroot) -> None:
    calls = _calls(chroot, "py3compile") if chroot.tree.exists("/usr/bin/py3compile") else []
    if calls:
        argv = ("xargs", "-P", str(cpus()), "-d", "\\n", "-I", "{}", "sh", "-c", "py3compile {}")
        chroot.run(*argv, stdin="\n".join(calls), doing="byte-compiling Python modules")


def _make_initial_ram_disks(chroot: Chroot) -> None:
    for arguments in _initial_ram_disks(chroot):
        chroot.run("update-initramfs", *arguments, doing="making the initial RAM disk")


def _initial_ram_disks(chroot: Chroot) -> list[list[str]]:
    """Return the calls of update-initramfs that are needed; one that makes a disk anew leaves nothing to update."""
    try:
        calls = [shlex.split(call) for call in _calls(chroot, "update-initramfs")]
    except ValueError as error:  # a package wrote where our stand-in does
        raise BuildError(f"making the initial RAM disk: how it was called cannot be read: {error}") from error
    if not chroot.tree.exists("/usr/sbin/update-initramfs"):
        return []
    made = [call for call in calls if call[:1] == ["-c"]]
    kernels = [name for name in chroot.tree.names("/boot") if name.startswith("vmlinuz-")]
    covered = all(any(name.partition("-")[2] in call for call in made) for name in kernels)
    return made if made and covered else calls


def _calls(chroot: Chroot, name: str) -> list[str]:
    """Return the different ways in which a stand-in was called, in their order."""
    path = f"{_DIRECTORY}/{name}.calls"
    noted = chroot.tree.read(path) if chroot.tree.is_file(path) else ""
    return [call for call in dict.fromkeys(noted.split("\n")) if call]
