"""What a request asks for besides images of file systems and disks: the tree in other forms, and its kernel.

Owns the table EXPORTS, the frozen type of one, and the checks of its values. It must not know how one is made.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fuel_image.errors import Problem
from fuel_image.uris import file_named

ROOTFS, SQUASHFS, KERNEL, INITRD, INITRAMFS = "rootfs", "squashfs", "kernel", "initrd", "initramfs"


@dataclass(frozen=True)
class Export:
    """A form of the tree: its *format* in the record, the *container* unless told otherwise, the host's *tools*."""

    format: str
    container: str
    tools: Sequence[str] = ()


EXPORTS: Mapping[str, Export] = {
    ROOTFS: Export("tar", "gzip"),
    SQUASHFS: Export("squashfs", "raw", ("setpriv", "mksquashfs")),
    KERNEL: Export("linux", "raw"),
    INITRD: Export("cpio", "raw"),
    INITRAMFS: Export("cpio", "gzip", ("cpio",)),
}


@dataclass(frozen=True)
class ExportRequest:
    """A form of the tree, as *filename* in the output; *compression* is that inside of a squashfs, if it was given."""

    kind: str
    filename: str
    container: str
    compression: str | None = None


def exports(document: Mapping[str, Any]) -> tuple[ExportRequest, ...]:
    """Return what a request, in which no problem was found, asks for."""
    return tuple(_typed(kind, document[kind]) for kind in EXPORTS if kind in document)


def wants_checksums(document: Mapping[str, Any]) -> bool:
    """Tell whether files of checksums are wanted: not unasked where there are but partition images.

    What removes those of an environment knows their names and no others.
    """
    unasked = "signing_key" in document or any(key in document for key in ("disks", *EXPORTS))
    return bool(document.get("checksums", unasked))


def _typed(kind: str, written: Mapping[str, Any]) -> ExportRequest:
    name = file_named(written["uri"])
    assert name is not None, "it was checked"
    container = written.get("container", EXPORTS[kind].container)
    return ExportRequest(kind, name, container, written.get("compression"))


def problems(document: Mapping[str, Any]) -> Iterator[Problem]:
    """Find what is wrong."""
    if INITRAMFS in document and KERNEL not in document:
        yield Problem(f"$.{INITRAMFS}", f"is started by the kernel of the same tree: ask for the {KERNEL} too")
    if "signing_key" in document and not document["signing_key"].startswith("/"):
        yield Problem("$.signing_key", "is not the absolute path of a file")
    if "signing_key" in document and not document.get("checksums", True):
        yield Problem("$.signing_key", "signs SHA256SUMS, which is not to be published: checksums is false")
