#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Installs into an empty directory, builds a program against it shared, static and fully static by
# pkg-config, runs each on the pool, and uninstalls: nothing may be left.
set -u
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
passed=0
failed=0
expect() {
    local name=$1
    shift
    if "$@" >"$root/log" 2>&1; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAIL $name"
        cat "$root/log"
    fi
}

cat >"$root/program.c" <<'SOURCE'
#include <poolmalloc.h>
#include <stdlib.h>
#include <string.h>
int main(void)
{
    char *from_libc_name = malloc(100);
    strcpy(from_libc_name, "hello");
    pm_free(from_libc_name); /* aborts unless malloc is the pool's */
    free(pm_malloc(100));
    return 0;
}
SOURCE
make="make --no-print-directory -s PREFIX=$root/usr BUILD=build/install"
export PKG_CONFIG_PATH=$root/usr/lib/pkgconfig LD_LIBRARY_PATH=$root/usr/lib
archive=$root/usr/lib/libpoolmalloc.a
compile() { gcc "$root/program.c" -fno-builtin -o "$root/program" "$@" && "$root/program"; }

expect "make install" $make install
expect "shared" compile $(pkg-config --cflags --libs poolmalloc)
expect "the program needs the soname" bash -c "ldd $root/program | grep 'libpoolmalloc.so.1 => $root'"
expect "static library" compile $(pkg-config --cflags poolmalloc) "$archive" -pthread
expect "fully static" compile -static $(pkg-config --cflags poolmalloc) "$archive" -pthread
expect "the library needs nothing but libc" bash -c \
    "! readelf -d $root/usr/lib/libpoolmalloc.so | grep NEEDED | grep -v 'libc\.so'"
expect "make uninstall" $make uninstall
expect "nothing is left" bash -c "! find $root/usr ! -type d | grep ."

echo "$passed passed, $failed failed"
exit $((failed > 0))
