"""How others build the same images.

Owns one row of stages for each peer, as the shell commands that a person would type. What a stage may use comes in
variables: MIRROR, SOURCES, KEYRING, SUITE, COMPONENTS, PACKAGES, TOOLS (what bench/install installed), CACHE (its own,
kept between runs) and the directory that it starts in, empty and removed afterwards. It must not run anything.
"""

from __future__ import annotations

from dataclasses import dataclass

from bench.measure import Stage

IMAGES, COMPRESS, DIGEST = "images", "compress", "digest"
TREE_FINISHED = (IMAGES, COMPRESS, DIGEST)
"""The stages, named alike in all pipelines, in which a tree at rest becomes published images."""


@dataclass(frozen=True)
class Peer:
    """A pipeline: its name, how it tells its version, whether it has a cache to fill first, and its stages."""

    name: str
    version: str
    with_cache: bool
    stages: tuple[Stage, ...]
    whole: bool = True
    """Whether it makes the same images; one that ends before is not compared."""


POPULATE = """
size() { echo "$(($(du --summarize --block-size=1M "$1" | cut --fields=1) * 110 / 100 + 64))M"; }
mke2fs -q -t ext2 -d boot boot.img "$(size boot)"
mke2fs -q -t ext4 -d root root.img "$(size root)"
"""
MD5SUM = Stage(DIGEST, "md5sum boot.img.gz root.img.gz > digests")

_SPLIT = Stage("split", "mkdir boot\nfind root/boot -mindepth 1 -maxdepth 1 -exec mv --target-directory=boot {} +")
_FROM_TREE = (_SPLIT, Stage(IMAGES, POPULATE), Stage(COMPRESS, "pigz boot.img root.img"), MD5SUM)

# A debootstrap that is older than the release lacks its script; all of Ubuntu's are one. The bind ends with the run.
_SCRIPT = """
cp --archive /usr/share/debootstrap/scripts scripts
ln --symbolic --force gutsy "scripts/$SUITE"
mount --bind scripts /usr/share/debootstrap/scripts
"""

# No block device of the host is in sight: packages such as grub-pc look for disks to install on.
_ORIGINAL_MOUNTS = """
truncate --size=4G root.img
truncate --size=512M boot.img
mke2fs -q -t ext4 root.img
mke2fs -q -t ext2 boot.img
mkdir root
mount -o loop root.img root
mkdir root/boot
mount -o loop boot.img root/boot
"""
_ORIGINAL_BOOTSTRAP = """
debootstrap --variant=minbase --include=eatmydata --keyring="$KEYRING" --components="${COMPONENTS// /,}" \\
    "$SUITE" root "$MIRROR"
"""
_ORIGINAL_PACKAGES = """
mount -t proc proc root/proc
mount -t sysfs -o ro sysfs root/sys
mount -t tmpfs -o mode=755 tmpfs root/dev
for device in null zero full random urandom tty; do
    touch "root/dev/$device"
    mount --bind "/dev/$device" "root/dev/$device"
done
mkdir root/dev/pts root/dev/shm
mount -t devpts -o newinstance,ptmxmode=666 devpts root/dev/pts
ln --symbolic pts/ptmx root/dev/ptmx
ln --symbolic /proc/self/fd root/dev/fd
printf '#!/bin/sh\\nexit 101\\n' > root/usr/sbin/policy-rc.d
chmod 755 root/usr/sbin/policy-rc.d
printf '%s\\n' "$SOURCES" > root/etc/apt/sources.list
cat /etc/resolv.conf > root/etc/resolv.conf
export DEBIAN_FRONTEND=noninteractive DEBCONF_NONINTERACTIVE_SEEN=true LC_ALL=C.UTF-8
chroot root apt-get -q update
chroot root eatmydata apt-get -q -y --no-install-recommends dist-upgrade
chroot root eatmydata apt-get -q -y --no-install-recommends install $PACKAGES
"""
_ORIGINAL_CLEAN = """
chroot root apt-get clean
rm --recursive root/usr/sbin/policy-rc.d root/var/lib/apt/lists/*
umount --recursive root
"""
_ORIGINAL_SHRINK = """
for image in boot.img root.img; do
    e2fsck -f -y "$image" || test $? -le 1
    resize2fs -M "$image"
done
"""

# The archives are bound where its apt keeps them; its own clean-up would empty them. Its hook for eatmydata does not
# read the SHA512 that Ubuntu's indices have, so that the library is put into the tree by hand.
_MMDEBSTRAP = """
mkdir --parents "$CACHE/archives/partial"
mmdebstrap --mode=root --variant=minbase --keyring="$KEYRING" --include="${PACKAGES// /,}" \\
    --aptopt='APT::Install-Recommends "false"' --skip=download/empty,essential/unlink \\
    --setup-hook='mkdir --parents "$1/var/cache/apt/archives"' \\
    --setup-hook='mount --bind "$CACHE/archives" "$1/var/cache/apt/archives"' \\
    --extract-hook='cp /usr/lib/*/libeatmydata.so "$1/libeatmydata.so"' \\
    --extract-hook='echo /libeatmydata.so > "$1/etc/ld.so.preload"' \\
    --customize-hook='rm "$1/etc/ld.so.preload" "$1/libeatmydata.so"' \\
    --customize-hook='umount "$1/var/cache/apt/archives"' \\
    "$SUITE" root - <<< "$SOURCES"
"""

# A file of sources in its sandbox takes the place of the mirrors that it knows.
_MKOSI_SETTINGS = """
mkdir --parents "$CACHE" sandbox/etc/apt/sources.list.d sandbox/etc/apt/keyrings work
cp "$KEYRING" sandbox/etc/apt/keyrings/ubuntu.gpg
sed 's,^deb ,deb [signed-by=/etc/apt/keyrings/ubuntu.gpg] ,' <<< "$SOURCES" > sandbox/etc/apt/sources.list.d/bench.list
touch sandbox/etc/apt/sources.list.d/mkosi.sources
"""
_MKOSI = """
PYTHONPATH="$TOOLS/mkosi/usr/lib/python3/dist-packages" /usr/bin/python3 -m mkosi --distribution=ubuntu \\
    --release="$SUITE" --format=directory --output=root --output-directory="$PWD" --workspace-directory="$PWD/work" \\
    --package-cache-directory="$CACHE" --sandbox-tree="$PWD/sandbox" --package="${PACKAGES// /,}" \\
    --with-recommends=no --with-docs=yes --bootable=no --bootloader=none --clean-package-metadata=no \\
    --build-sources= build
"""

# grub-pc and mdadm are left out: it shows the host's disks to what it installs. It ends with a tar of the tree, which
# by itself it makes in memory if that is large enough; all others make theirs on the disk.
_DISKIMAGE_BUILDER = """
mkdir --parents "$CACHE" tmp
packages=" $PACKAGES "
packages=${packages/ grub-pc / }
packages=${packages/ mdadm / }
packages=$(echo $packages)
export PATH="$TOOLS/venv/bin:$PATH" TMP_DIR="$PWD/tmp" TMPDIR="$PWD/tmp" DIB_IMAGE_CACHE="$CACHE" DIB_RELEASE="$SUITE"
export DIB_DISTRIBUTION_MIRROR="$MIRROR" DIB_MMDEBSTRAP_EXTRA_ARGS="--keyring=$KEYRING" DIB_DEBOOTSTRAP_CACHE=1
export DIB_DEBIAN_COMPONENTS="${COMPONENTS// /,}" DIB_DEBIAN_USE_DEBOOTSTRAP_CACHE=1 break=
export DIB_UBUNTU_MIRROR_DISTS=updates,security DIB_UBUNTU_KERNEL=linux-image-virtual
disk-image-create --no-tmpfs -x -t tar -o root -p "${packages// /,}" ubuntu-minimal
"""

PEERS = (
    Peer(
        "original",
        "debootstrap --version",
        False,
        (
            Stage("file systems", _SCRIPT + _ORIGINAL_MOUNTS),
            Stage("bootstrap", _ORIGINAL_BOOTSTRAP),
            Stage("packages", _ORIGINAL_PACKAGES),
            Stage("clean", _ORIGINAL_CLEAN),
            Stage(IMAGES, _ORIGINAL_SHRINK),
            Stage(COMPRESS, "gzip boot.img root.img"),
            MD5SUM,
        ),
    ),
    Peer("mmdebstrap", "mmdebstrap --version", True, (Stage("packages", _MMDEBSTRAP), *_FROM_TREE)),
    Peer(
        "mkosi",
        'PYTHONPATH="$TOOLS/mkosi/usr/lib/python3/dist-packages" /usr/bin/python3 -m mkosi --version',
        True,
        (Stage("settings", _MKOSI_SETTINGS), Stage("packages", _MKOSI), *_FROM_TREE),
    ),
    Peer(
        "diskimage-builder",
        'echo "diskimage-builder $("$TOOLS/venv/bin/pip" show diskimage-builder | sed -n "s/^Version: //p")"',
        True,
        (Stage("packages", _DISKIMAGE_BUILDER), Stage(DIGEST, "md5sum root.tar > digests")),
        whole=False,
    ),
)
