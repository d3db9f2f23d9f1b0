# SPDX-License-Identifier: LGPL-2.1-or-later
# Allocation-heavy Perl: hashes of arrays, growing strings, sorting and splitting.
use strict;
use warnings;

my $random = 1;
sub random_below { $random = ($random * 1103515245 + 12345) % 2147483648; return $random % $_[0]; }

my (%places, $text);
for my $position (1 .. 150000) {
    my $word = "word" . random_below(20000);
    push @{ $places{$word} }, $position;
    $text .= $word . ($position % 10 ? " " : "\n");
}
my $count = 0;
for my $line (split /\n/, $text) {
    my %seen = map { $_ => length } split / /, $line;
    $count += keys %seen;
}
my @sorted = sort { @{ $places{$a} } <=> @{ $places{$b} } || $a cmp $b } keys %places;
print "$count $sorted[0] $sorted[-1]\n";
