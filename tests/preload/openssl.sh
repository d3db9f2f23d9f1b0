#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# openssl: digests, ciphers, a certificate request, deterministic RSA signatures and their check.
source "${BASH_SOURCE%/*}/lib/same.bash"
need openssl
key=$work.key
openssl genrsa -out "$key" 2048 2>/dev/null
trap 'rm -rf "$work" "$key"' EXIT

crypto() {
    seq 200000 >data
    for digest in md5 sha1 sha256 sha512 sha3-256 blake2b512; do openssl dgst -$digest data; done
    for cipher in aes-128-cbc aes-256-ctr chacha20 camellia-256-cbc; do
        openssl enc -$cipher -pbkdf2 -iter 2000 -S 0011223344556677 -k secret -in data -out $cipher || return 1
        openssl enc -d -$cipher -pbkdf2 -iter 2000 -S 0011223344556677 -k secret -in $cipher | cmp - data || return 1
    done
    openssl dgst -sha256 -sign "$key" -out signature data &&
        openssl rsa -in "$key" -pubout -out public 2>/dev/null &&
        openssl dgst -sha256 -verify public -signature signature data &&
        openssl req -new -key "$key" -subj /CN=example.org -sha256 -out request &&
        openssl req -in request -noout -text -verify 2>&1
    openssl list -digest-algorithms -cipher-algorithms | cksum
}

same "openssl" crypto
finish
