"""Mounts and loop devices.

Owns their acquiring and releasing, each in one context manager. A release that fails is an error when there is no
other (an image whose file system could not be unmounted is not good), and never hides the first. Nothing here is
unmounted lazily: a lazy unmount hides a busy file system that is then read half-written (LP1454366).
"""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import tenacity

from fuel_image.errors import BuildError, HostError
from fuel_image.host import kernel

LOG = logging.getLogger(__name__)

_UMOUNT_ATTEMPTS = 20
_UMOUNT_WAIT_SECONDS = 0.25

# linux/loop.h
_LOOP_CONFIGURE = 0x4C0A  # Linux 5.8
_LOOP_CTL_GET_FREE = 0x4C82
_LO_FLAGS_READ_ONLY = 1
_LO_FLAGS_AUTOCLEAR = 4
_LOOP_MAJOR = 7
_LOOP_INFO64_BYTES = 232
_LOOP_INFO64_FLAGS_OFFSET = 52
_LOOP_INFO64_EXTENT_OFFSET = 24  # lo_offset and lo_sizelimit
_LOOP_ATTEMPTS = 50


@contextmanager
def mounted(source: str, target: Path, fstype: str = "", flags: int = 0, options: str = "") -> Iterator[Path]:
    """Mount *source* on *target* for the length of the block."""
    try:
        kernel.mount(source, os.fspath(target), fstype, flags, options)
    except OSError as error:
        raise HostError(f"mounting {fstype or source} on {target}: {error.strerror}") from error
    LOG.debug("mounted %s on %s", fstype or source, target)
    try:
        yield target
    finally:
        _unmount(target, failing=sys.exc_info()[0] is not None)


@contextmanager
def bound(source: Path, target: Path, flags: int = 0) -> Iterator[Path]:
    """Show the directory or file *source* at *target* too, with mount *flags* (MS_RDONLY, MS_NODEV) of its own."""
    with mounted(os.fspath(source), target, flags=kernel.MS_BIND):
        if flags:
            kernel.mount("none", os.fspath(target), flags=kernel.MS_BIND | kernel.MS_REMOUNT | flags)
        yield target


def _unmount(target: Path, *, failing: bool) -> None:
    """Unmount *target*, waiting for an exiting process; say who holds it. Raise only if nothing else is *failing*."""
    retrying = tenacity.Retrying(
        retry=tenacity.retry_if_exception(lambda error: isinstance(error, OSError) and error.errno == errno.EBUSY),
        stop=tenacity.stop_after_attempt(_UMOUNT_ATTEMPTS),
        wait=tenacity.wait_fixed(_UMOUNT_WAIT_SECONDS),
        reraise=True,
    )
    try:
        retrying(kernel.umount, os.fspath(target))
    except OSError as error:
        message = (
            f"unmounting {target}: {error.strerror}; in use by {_holders(target) or 'no process that can be seen'}"
        )
        if not failing:
            raise BuildError(message) from error
        LOG.warning("%s", message)


def _holders(target: Path) -> str:
    """Name the processes whose root, directory or open files lie below *target*."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        links = [process / "root", process / "cwd"]
        try:
            links += list((process / "fd").iterdir())
            if any(os.readlink(link).startswith(os.fspath(target)) for link in links):
                found.append(f"{(process / 'comm').read_text().strip()} ({process.name})")
        except OSError:
            continue  # it ended while we looked
    return ", ".join(found)


@contextmanager
def loop_device(image: Path, *, read_only: bool, start_bytes: int = 0, size_bytes: int = 0) -> Iterator[Path]:
    """Attach *image* to a loop device for the length of the block and give the device's path.

    The device is the whole file, or what begins at *start_bytes* and has *size_bytes*, unless that is 0.

    The kernel is asked for a free device and detaches it by itself on the last close (LO_FLAGS_AUTOCLEAR), so that a
    killed build leaves none. Losing the race for a free device to another build is retried (LP1506071).
    """
    flags = _LO_FLAGS_AUTOCLEAR | (_LO_FLAGS_READ_ONLY if read_only else 0)
    image_fd = os.open(image, os.O_CLOEXEC | (os.O_RDONLY if read_only else os.O_RDWR))
    try:
        device, device_fd = _attach(image_fd, image, flags, start_bytes, size_bytes)
    finally:
        os.close(image_fd)
    try:
        LOG.debug("attached %s to %s", image, device)
        yield device
    finally:
        os.close(device_fd)


def _attach(image_fd: int, image: Path, flags: int, start_bytes: int, size_bytes: int) -> tuple[Path, int]:
    info = bytearray(_LOOP_INFO64_BYTES)
    struct.pack_into("=QQ", info, _LOOP_INFO64_EXTENT_OFFSET, start_bytes, size_bytes)
    struct.pack_into("=I", info, _LOOP_INFO64_FLAGS_OFFSET, flags)
    config = struct.pack("=II", image_fd, 0) + bytes(info) + bytes(64)
    try:
        control = os.open("/dev/loop-control", os.O_RDWR | os.O_CLOEXEC)
    except OSError as error:
        raise HostError(f"attaching {image} to a loop device: {error}", advice="load the kernel module loop") from error
    try:
        for _ in range(_LOOP_ATTEMPTS):
            number = _free_number(control, image)
            device = Path(f"/dev/loop{number}")
            if not device.exists():
                # Containers do not share the host's devtmpfs, so that a new device has no node there.
                os.mknod(device, 0o660 | 0o060000, os.makedev(_LOOP_MAJOR, number))
            device_fd = os.open(device, os.O_CLOEXEC | (os.O_RDONLY if flags & _LO_FLAGS_READ_ONLY else os.O_RDWR))
            try:
                fcntl.ioctl(device_fd, _LOOP_CONFIGURE, config)
                return device, device_fd
            except OSError as error:
                os.close(device_fd)
                if error.errno != errno.EBUSY:
                    raise
    except OSError as error:
        raise HostError(f"attaching {image} to a loop device: {error}") from error
    finally:
        os.close(control)
    raise HostError(f"attaching {image} to a loop device: another program took {_LOOP_ATTEMPTS} free ones before us")


def _free_number(control: int, image: Path) -> int:
    """Return the number of a loop device that nobody has; the kernel makes a new one if there is room for it."""
    try:
        return fcntl.ioctl(control, _LOOP_CTL_GET_FREE)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            message, advice = "no loop device is free", "detach those that nobody needs (losetup --list)"
        else:
            message, advice = str(error), "load the kernel module loop"
        raise HostError(f"attaching {image} to a loop device: {message}", advice=advice) from error
