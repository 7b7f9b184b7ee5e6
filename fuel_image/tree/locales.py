"""The locale of the tree.

Owns the generation of a locale and its choice as the system's, by the tree's own programs where it has them.
"""

from __future__ import annotations

from fuel_image.errors import BuildError
from fuel_image.tree.chroot import Chroot
from fuel_image.tree.root import Tree

_SUPPORTED = "/usr/share/i18n/SUPPORTED"
_WANTED = "/etc/locale.gen"
_CHOSEN, _OF_SYSTEMD = "/etc/default/locale", "/etc/locale.conf"
_ALWAYS_THERE = ("C", "POSIX")
_DEFAULT = "C.UTF-8"


def choose(chroot: Chroot, locale: str) -> None:
    """Make *locale* the system's, and generate it unless it is there. Raises BuildError."""
    if not _available(chroot, locale):
        _generate(chroot, locale)
        if not _available(chroot, locale):
            raise BuildError(f"setting the locale: locale-gen has not made {locale}", advice="see its lines in the log")
    if chroot.tree.exists("/usr/sbin/update-locale"):
        chroot.run("update-locale", "--reset", f"LANG={locale}", doing=f"setting the locale {locale}")
    else:
        chroot.tree.mkdir("/etc/default")
        chroot.tree.write(_place(chroot.tree), f"LANG={locale}\n")


def choose_default(tree: Tree) -> None:
    """Choose the locale that every tree has for a system that has chosen none.

    Else cloud-init chooses its own at the first boot, and fails where it can neither generate it nor fetch what does.
    """
    place = _place(tree)
    lines = tree.read(place).splitlines() if tree.exists(place) else []
    if not any(line.strip().startswith("LANG=") for line in lines):  # the package locales leaves a file without one
        tree.mkdir("/etc/default")
        tree.write(place, "".join(f"{line}\n" for line in (*lines, f"LANG={_DEFAULT}")))


def _place(tree: Tree) -> str:
    """Return the file that holds the choice: releases have made Debian's a link to systemd's (locale.conf(5))."""
    return _OF_SYSTEMD if tree.exists(_CHOSEN) and not tree.is_file(_CHOSEN) else _CHOSEN


def _available(chroot: Chroot, locale: str) -> bool:
    listed = chroot.run("locale", "--all-locales", doing="listing locales", want_output=True).text.split()
    return _canonical(locale) in {*_ALWAYS_THERE, *map(_canonical, listed)}


def _canonical(locale: str) -> str:
    """Return a locale with its character set as the C library writes it: de_DE.UTF-8 is de_DE.utf8."""
    language, dot, rest = locale.partition(".")
    charset, at, modifier = rest.partition("@")
    return f"{language}{dot}{charset.lower().replace('-', '')}{at}{modifier}"


def _generate(chroot: Chroot, locale: str) -> None:
    if not chroot.tree.exists("/usr/sbin/locale-gen"):
        raise BuildError(
            f"setting the locale: the tree has no {locale} and no locale-gen", advice="add the package locales"
        )
    doing = f"generating the locale {locale}"
    if not chroot.tree.exists(_WANTED):
        chroot.run("locale-gen", locale, doing=doing)  # Ubuntu's, before it had that file
        return
    line = f"{locale} {_charset(chroot.tree, locale)}"
    wanted = [one.strip() for one in chroot.tree.read(_WANTED).splitlines()]
    if line not in wanted:
        chroot.tree.write(_WANTED, "".join(f"{one}\n" for one in (*wanted, line)))
    chroot.run("locale-gen", doing=doing)


def _charset(tree: Tree, locale: str) -> str:
    """Return the character set that goes with a locale. Raises BuildError for one that the C library does not know."""
    lines = tree.read(_SUPPORTED).splitlines() if tree.exists(_SUPPORTED) else []
    charsets = dict(line.split(" ", 1) for line in lines if " " in line)
    if charsets and locale not in charsets:
        raise BuildError(f"setting the locale: the tree's C library has no {locale}", advice=f"see {_SUPPORTED} there")
    return charsets.get(locale, "UTF-8").strip()
