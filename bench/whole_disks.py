"""From a cached tree to a published disk: what the ordinary tools take, and what fuel-image takes.

Owns the two pipelines. Both make one disk of the same size from the same content, which boots on a BIOS and on UEFI,
as a compressed qcow2. Ours is a whole run of the program that finds all but the disk kept.
"""

from __future__ import annotations

import functools
import shutil
from typing import Any

from bench import emission, ours
from bench.measure import Stage
from bench.pipelines import stages_run
from bench.scenario import Place, Run, Scenario

BY_HAND = "tools to a disk"
DISK = "disk gone"

_SIZE_GIB = 4
_STAGES = (
    Stage(
        "images",
        f"""
mkdir root
mount --bind "$TREE/root" root
mount --bind "$TREE/boot" root/boot
truncate --size {_SIZE_GIB}G disk.raw
sgdisk --new 1:1M:+1M --typecode 1:ef02 --new 2:0:+128M --typecode 2:ef00 --new 3:0:0 --typecode 3:8300 disk.raw
place_of() {{ sgdisk --info "$1" disk.raw | sed -n "s/^$2 sector: \\([0-9]*\\).*/\\1/p"; }}
truncate --size 128M esp.img
mkfs.vfat esp.img
grub-mkimage --format x86_64-efi --output boot.efi --prefix '(hd0,gpt3)/boot/grub' part_gpt fat ext2 normal linux search
mmd -i esp.img ::/EFI ::/EFI/BOOT
mcopy -i esp.img boot.efi ::/EFI/BOOT/BOOTX64.EFI
mke2fs -q -t ext4 -d root root.img "$((($(place_of 3 Last) - $(place_of 3 First) + 1) / 2))k"
for pair in 2:esp 3:root; do
    dd if="${{pair#*:}}.img" of=disk.raw bs=1M seek="$(($(place_of "${{pair%:*}}" First) / 2048))" conv=notrunc,sparse
    rm "${{pair#*:}}.img"
done
""",
    ),
    Stage(
        "boot loader",
        """
loop=$(losetup --find --show disk.raw)
trap 'umount mnt || true; partx --delete "$loop" || true; losetup --detach "$loop"' EXIT
partx --add "$loop"
mkdir mnt
mount "${loop}p3" mnt
mkdir -p mnt/boot/grub
grub-install --target=i386-pc --boot-directory=mnt/boot "$loop"
kernel=$(cd mnt/boot && ls vmlinuz-* | tail -n 1)
{
    echo "search --fs-uuid --set=root $(blkid -o value -s UUID "${loop}p3")"
    echo "linux /boot/$kernel root=UUID=$(blkid -o value -s UUID "${loop}p3") ro console=tty0 console=ttyS0"
    echo "initrd /boot/initrd.img-${kernel#vmlinuz-}"
    echo boot
} > mnt/boot/grub/grub.cfg
umount mnt
partx --delete "$loop"
losetup --detach "$loop"
trap - EXIT
""",
    ),
    Stage("convert", "qemu-img convert -c -O qcow2 disk.raw node.qcow2"),
    Stage("digest", "md5sum node.qcow2; sha256sum node.qcow2"),
)


def scenarios(place: Place) -> tuple[Scenario, ...]:
    """Return the two."""
    by_hand = functools.partial(stages_run, place, BY_HAND, _STAGES, "*.qcow2", {"TREE": str(place.directory / "tree")})
    return (
        Scenario(BY_HAND, functools.partial(emission.unpack, place), by_hand),
        Scenario(DISK, functools.partial(_fill, place), functools.partial(_gone, place)),
    )


def _fill(place: Place) -> None:
    """Build once, so that the tree with its boot loader is kept."""
    _gone(place)


def _gone(place: Place) -> Run:
    home = ours.Home(ours.fill(place).top, "disk")
    shutil.rmtree(home.output, ignore_errors=True)
    run = ours.build(place, home, _request(place, home), results="*.qcow2")
    shutil.rmtree(home.output)
    return run


def _request(place: Place, home: ours.Home) -> dict[str, Any]:
    request = place.workload.request(home.output)
    del request["image_data"]
    disk = {"uri": "http://127.0.0.1/node.qcow2", "format": "qcow2", "size": f"{_SIZE_GIB}GiB"}
    return {**request, "disks": [disk], "checksums": False}
