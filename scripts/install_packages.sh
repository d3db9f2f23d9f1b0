#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Installs the Debian packages of the groups named (build check bench ci; all without a name). Does
# nothing when they are there. Needs root or sudo to install, and says what it lacks otherwise.
set -eu

declare -A packages=(
    # what `make` and `make demo` need
    [build]="gcc g++ make libc6-dev binutils liburcu-dev libncurses-dev pkg-config
             perl time xz-utils"
    # what `make check` needs: the gates, the unit tests, the real programs
    [check]="clang clang-format clang-tidy cppcheck libcunit1-dev abigail-tools git
             python3 tmux mandoc man-db libpython3.11-testsuite sqlite3 redis-server redis-tools openssl tar"
    # the peers of `make bench`
    [bench]="libjemalloc2 libmimalloc2.0 libtcmalloc-minimal4 linux-perf valgrind
             git jq lua5.4 python3 redis-server redis-tools sqlite3"
    # the slower gates of .ci/run
    [ci]="musl-tools gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user valgrind nodejs
          afl++ nginx-light postgresql postgresql-contrib memcached
          prometheus prometheus-node-exporter python3-jsonschema python3-prometheus-client"
)
groups=("$@")
((${#groups[@]} > 0)) || groups=(build check bench ci)

missing=()
for group in "${groups[@]}"; do
    [[ -n ${packages[$group]-} ]] || { echo "install_packages: no group $group" >&2; exit 2; }
    for package in ${packages[$group]}; do
        status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
        [[ $status == installed ]] || missing+=("$package")
    done
done
((${#missing[@]} > 0)) || exit 0

as_root=()
if ((EUID != 0)); then
    if ! sudo -n true 2>/dev/null && ! [[ -t 0 && -x $(command -v sudo) ]]; then
        echo "install_packages: missing ${missing[*]}" >&2
        echo "install_packages: run as root, or with sudo: apt-get install ${missing[*]}" >&2
        exit 1
    fi
    as_root=(sudo)
fi
echo "installing ${missing[*]}"
# RUNLEVEL=1 keeps the redis package from starting its server; the tests start one of their own.
apt_get=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get -y -qq
    -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0)
"${apt_get[@]}" update >/dev/null
"${apt_get[@]}" install --no-install-recommends "${missing[@]}" >/dev/null
