#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Writes a git repository, the same every time, into the directory given: 150 files of generated
# words, 15 commits that each change a tenth of them.
set -eu
rm -rf "$1"
git init -q --bare "$1"
awk 'BEGIN {
    srand(1)
    for (commit = 1; commit <= 15; commit++) {
        printf "commit refs/heads/main\n"
        printf "committer bench <bench@localhost> %d +0000\ndata 1\nx\n", commit
        for (file = 1; file <= 150; file++) {
            if (commit > 1 && rand() > 0.1)
                continue
            for (i = 1; i <= 60; i++)
                if (commit == 1 || rand() < 0.2) {
                    line[file, i] = ""
                    for (j = 1; j <= 12; j++)
                        line[file, i] = line[file, i] "word" int(rand() * 5000) " "
                }
            text = ""
            for (i = 1; i <= 60; i++)
                text = text line[file, i] "\n"
            printf "M 644 inline file%d\ndata %d\n%s\n", file, length(text), text
        }
    }
}' | git -C "$1" fast-import --quiet
