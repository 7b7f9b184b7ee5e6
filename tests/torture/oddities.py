"""A package whose maintainer script leaves in the tree what is seldom there, and easily lost on the way to an image."""

from __future__ import annotations

from pathlib import Path

from tests.integration import repository

PLACES = ("/opt", "/srv", "/home", "/var/spool", "/boot")
NAME = "oddities"
DEPENDS = "libcap2-bin, acl, attr, coreutils, perl-base"

POSTINST = r"""#!/bin/sh
set -eu
long=$(printf '%0255d' 0)
for place in @PLACES@; do
    mkdir "$place/odd"
    cd "$place/odd"
    # modes, owners
    for mode in 0000 0001 0444 1666 2755 4755 6711 7777; do : > "mode-$mode"; chmod $mode "mode-$mode"; done
    mkdir -m 0111 empty && mkdir -m 3777 sticky && mkdir -m 0000 closed && echo inside > closed/inside
    chown 7:8 mode-4755 && chmod 4755 mode-4755
    echo high > high && chown 65536:4294967294 high
    echo higher > higher && chown 4294967294:70000 higher
    # times
    echo old > old && touch -d '1970-01-01 00:00:00 UTC' old
    echo second > second && touch -d '1970-01-01 00:00:01 UTC' second
    echo before > before && touch -d '1960-01-01 00:00:00 UTC' before
    echo fine > fine && touch -d '2001-02-03 04:05:06.123456789 UTC' fine
    mkdir fine-directory && touch -d '2001-02-03 04:05:06.987654321 UTC' fine-directory
    ln -s nowhere fine-link && touch -h -d '2001-02-03 04:05:06.5 UTC' fine-link
    echo ahead > ahead && touch -d '2100-01-01 00:00:00 UTC' ahead
    # links
    echo one > hard && ln hard hard-2 && mkdir deep && ln hard deep/hard-3
    ln -s target soft && ln soft soft-hard && ln soft 'deep/a "hard" soft' && ln soft "$(printf 'soft \377')"
    mkfifo pipe && ln pipe pipe-hard
    ln -s "$(printf '%059d' 0)" soft-59 && ln -s "$(printf '%060d' 0)" soft-60
    ln -s "$(printf '%01023d' 0)" soft-1023
    ln -s /etc/passwd absolute && ln -s ../../../../../../etc/passwd outward && ln -s "$(printf 'a\nb\377')" soft-odd
    # what is no file
    mknod character c 1 3 && mknod block b 7 300 && mknod large c 511 262143
    perl -MSocket -e 'socket(my $s, PF_UNIX, SOCK_STREAM, 0) or die; bind($s, sockaddr_un("socket")) or die' || :
    # content
    truncate -s 100M holes && echo end >> holes
    printf 'middle' | dd of=holes bs=1 seek=50000000 conv=notrunc status=none
    dd if=/dev/zero of=zeros bs=4096 count=64 status=none
    perl -e 'srand(1); print pack("L*", map { int(rand(4294967296)) } 1..1000) for 1..700' > random
    : > nothing
    # attributes
    cp /bin/true capable && setcap cap_net_raw,cap_net_admin+ep capable
    cp /bin/true capable-2 && setcap cap_dac_override=ei capable-2
    echo acl > acl && setfacl -m u:7:rwx,g:8:r,u:70000:x,m::rx acl
    mkdir defaults && setfacl -d -m u:7:rx,g:70000:rwx defaults && mkdir defaults/heir
    mkdir many && for one in $(seq 100); do setfacl -m "u:$((one * 1000)):rwx" many; done
    echo note > note && setfattr -n user.note -v 'a value' note && ln note note-hard
    echo none > none && setfattr -n user.empty none
    echo binary > binary && setfattr -n user.binary -v 0x00ff0a0d22 binary
    echo large > large-attribute && setfattr -n user.large -v "$(printf '%0700d' 0)" large-attribute
    echo several > several && for one in $(seq 9 -1 1); do setfattr -n "user.number$one" -v "value $one" several; done
    setfattr -n 'user.odd "name"' -v odd several && setcap cap_net_raw+ep several && setfacl -m u:9:r several
    mkdir noted && setfattr -n user.directory -v yes noted
    # names
    echo n > "$(printf 'a\nnew line')" && echo n > "$(printf 'not \377 UTF-8')" && echo n > "$long"
    echo n > "$(printf 'b\\ack "quoted" $dollar `tick` *?[x] \033[31m')" && echo n > ' ' && echo n > -n && echo n > '~'
    echo n > "$(printf '\303\274')" && echo n > "$(printf 'u\314\210')" && echo n > '#' && echo n > '%s'
    mkdir "$(printf 'dir\n\377')" && echo n > "$(printf 'dir\n\377')/file"
    for one in $(seq 2000); do : > "deep/one of many $one"; done
done
for place in /boot /srv /var/spool; do
    chown 7:70000 $place && chmod 2750 $place
    setfattr -n user.top -v "of $place" $place && setfacl -m u:7:rwx $place && setfacl -d -m u:8:rx $place
done
setfattr -n user.top -v root /
""".replace("@PLACES@", " ".join(PLACES))


def made(directory: Path) -> dict[str, object]:
    """Make the package in a repository of its own in *directory*; return the repository, as a request names it."""
    deb = repository.package(directory, NAME, depends=DEPENDS, postinst=POSTINST)
    return {"name": "odd", "uri": repository.flat(directory, deb), "suite": "/", "section": "", "priority": 1100}
