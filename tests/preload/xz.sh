#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# tar piped into a two-threaded xz: the same archive, and it unpacks to what went in.
source "${BASH_SOURCE%/*}/lib/same.bash"
need tar xz

archive() {
    mkdir in out
    for i in 1 2 3 4 5 6; do seq $((i * 1000)) $((i * 60000)) >in/$i; done
    tar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -cf - in |
        xz -T2 --block-size=1MiB -3 >in.tar.xz || return 1
    xz --list in.tar.xz && xz -T2 -dc in.tar.xz | tar -xf - -C out && diff -r in out/in && cksum in.tar.xz
}

same "tar | xz -T2" archive
finish
