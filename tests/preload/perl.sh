#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# perl: hashes, sorting, regular expressions, deep recursion, fork.
source "${BASH_SOURCE%/*}/lib/same.bash"
need perl
export PERL_HASH_SEED=0

cat >"$work.pl" <<'SCRIPT'
use strict;
my (%count, @words);
my $x = 1;
for my $i (1 .. 60000) {
    $x = $x * 16807 % 2147483647;
    push @words, join '', map { chr(97 + ($x >> $_ * 3) % 26) } 1 .. 3 + $x % 7;
    $count{$words[-1]}++;
}
my $text = join ' ', @words;
my @top = (sort { $count{$b} <=> $count{$a} || $a cmp $b } keys %count)[0 .. 9];
print "$_ $count{$_}\n" for @top;
(my $swapped = $text) =~ s/(\w+) (\w+)/$2 $1/g;
print length($swapped), ' ', unpack('%32C*', $swapped), "\n";
sub tree { my $depth = shift; $depth ? [tree($depth - 1), tree($depth - 1)] : [] }
sub leaves { my $node = shift; @$node ? leaves($node->[0]) + leaves($node->[1]) : 1 }
print leaves(tree(14)), "\n";
for my $child (1 .. 3) {
    my $pid = fork;
    if (!$pid) { my @copy = sort @words; exit(@copy % 200) }
    waitpid $pid, 0;
    print "child $child: ", $? >> 8, "\n";
}
SCRIPT
trap 'rm -rf "$work" "$work.pl"' EXIT

same "perl script" perl "$work.pl"
finish
