#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Every way a program comes to the library: preloaded, linked, linked statically, opened at run time,
# through a plug-in, under an auditor, bound at once, set-user-ID, with little address space.
set -u
export LC_ALL=C
library=${POOLMALLOC_LIBRARY:?is not set to the library\'s path}
build=${library%/*}
programs=$(cd "${BASH_SOURCE%/*}/programs" && pwd)
include=$(cd "${BASH_SOURCE%/*}/../../include" && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/poolmalloc-loading.XXXXXX")
trap 'rm -rf "$work"' EXIT
passed=0
failed=0
cc=(gcc -O1 -pthread -I"$include" -fno-builtin)

# says NAME EXPECTED COMMAND...: the command succeeds and prints exactly this.
says() {
    local name=$1 expected=$2 answer status
    shift 2
    answer=$(timeout 60 "$@" 2>&1)
    status=$?
    if [[ $status == 0 && $answer == "$expected" ]]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf 'FAIL %s: status %d, said: %s\n' "$name" "$status" "$answer"
    fi
}

cd "$work" || exit 1
"${cc[@]}" "$programs/early_and_late.c" -o plain || exit 1
"${cc[@]}" "$programs/early_and_late.c" -o linked -L"$build" -lpoolmalloc -Wl,-rpath,"$build" || exit 1
"${cc[@]}" "$programs/early_and_late.c" -o archive "$build/libpoolmalloc.a" || exit 1
"${cc[@]}" "$programs/early_and_late.c" -static -o static "$build/libpoolmalloc.a" 2>static.log ||
    { cat static.log; exit 1; }
"${cc[@]}" -fPIC -shared "$programs/audit.c" -o audit.so || exit 1
"${cc[@]}" "$programs/opener.c" -o opener -ldl || exit 1
"${cc[@]}" "$programs/opener_forks.c" -o opener_forks -ldl || exit 1
"${cc[@]}" -fPIC -shared "$programs/plug_in.c" -o plug_in.so -L"$build" -lpoolmalloc \
    -Wl,-rpath,"$build" || exit 1

pool='pool, 9 places'
says "not preloaded" "libc, 9 places" ./plain
says "preloaded" "$pool" env LD_PRELOAD="$library" ./plain
says "linked" "$pool" ./linked
says "linked from the archive" "$pool" ./archive
says "linked statically" "$pool" ./static
says "preloaded, bound at once" "$pool" env LD_BIND_NOW=1 LD_PRELOAD="$library" ./plain
says "linked, bound at once" "$pool" env LD_BIND_NOW=1 ./linked
says "preloaded, audited" "$pool" env LD_AUDIT="$work/audit.so" LD_PRELOAD="$library" ./plain
says "linked, audited" "$pool" env LD_AUDIT="$work/audit.so" ./linked
says "preloaded into a linked one" "$pool" env LD_PRELOAD="$library" ./linked
says "opened beside libc's malloc" closed ./opener "$library"
says "opened where it is preloaded too" closed env LD_PRELOAD="$library" ./opener "$work/plug_in.so" \
    plug_in_run
says "a plug-in linked to it" closed ./opener "$work/plug_in.so" plug_in_run
says "opened, and forks" well ./opener_forks "$library"

# 64 MiB of addresses for everything: the program, its libraries, its thread and the pool.
limited=(sh -c 'ulimit -v 65536; exec "$@"' sh)
says "64 MiB of addresses, preloaded" "$pool" "${limited[@]}" env LD_PRELOAD="$library" ./plain
says "64 MiB of addresses, linked" "$pool" "${limited[@]}" ./linked
says "64 MiB of addresses, a shell" "$(seq 1000 | md5sum)" "${limited[@]}" env LD_PRELOAD="$library" \
    sh -c 'seq 1000 | md5sum'

# Options come from the environment, but not for a program with raised privileges.
confirming="poolmalloc: options:"
if [[ $(POOLMALLOC_CONF=confirm_conf:true ./archive 2>&1) == "$confirming"* ]]; then
    passed=$((passed + 1))
else
    failed=$((failed + 1))
    echo "FAIL options of an ordinary program"
fi
if ((EUID == 0)) && id nobody >/dev/null 2>&1; then
    chmod 755 . && chmod u+s archive
    says "options of a set-user-ID program" "$pool" \
        setpriv --reuid=nobody --clear-groups env POOLMALLOC_CONF=confirm_conf:true ./archive
    [[ -u archive ]] || echo "SKIPPED set-user-ID, the file system ignores it"
fi

echo "$passed passed, $failed failed"
exit $((failed > 0))
