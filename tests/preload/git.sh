#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# git: init, commit, branch, merge, gc, fsck; object names and the pack must be the same.
source "${BASH_SOURCE%/*}/lib/same.bash"
need git
export HOME=/nonexistent GIT_CONFIG_NOSYSTEM=1
export GIT_AUTHOR_NAME=A GIT_AUTHOR_EMAIL=a@example.org GIT_AUTHOR_DATE='2020-01-01T00:00:00Z'
export GIT_COMMITTER_NAME=C GIT_COMMITTER_EMAIL=c@example.org GIT_COMMITTER_DATE='2020-01-02T00:00:00Z'

history() {
    git init --quiet --initial-branch=main . || return 1
    for round in 1 2 3 4 5 6; do
        for file in a b c d; do seq "$round" $((round * 900)) | sed "s/^/$file /" >$file; done
        git add . && git commit --quiet --message="round $round" || return 1
    done
    git checkout --quiet -b side HEAD~3 && echo side >side && git add side &&
        git commit --quiet --message=side && git merge --quiet --message=merge main || return 1
    git -c gc.autoDetach=false -c pack.threads=1 gc --quiet --aggressive --prune=now || return 1
    git fsck --full --strict 2>&1 || return 1
    git log --graph --stat --all && git rev-list --objects --all && git blame b | cksum
    git grep --threads=2 --count 'a 9' main -- a
    # stat data (inode numbers, times) differ between any two runs
    rm -f .git/index .git/objects/info/commit-graph
}

same "git from init to fsck" history
finish
