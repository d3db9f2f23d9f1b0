#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# bash: arrays, strings, regular expressions, subshells, pipes and here-documents.
source "${BASH_SOURCE%/*}/lib/same.bash"

cat >"$work.script" <<'SCRIPT'
declare -A squares
for ((i = 0; i < 3000; i++)); do
    squares[key$i]=$((i * i))
    words+=("word-$i")
done
text="${words[*]}"
echo "${#squares[@]} ${#text} ${squares[key2999]} ${text//word/term}" | cksum
[[ $text =~ word-(29[0-9]+)\ word-(30[0-9]) ]] && echo "${BASH_REMATCH[@]:1}"
for i in 1 2 3 4 5; do (echo "subshell $i: $(printf '%s\n' "${words[@]}" | sort -r | head -n 1)"); done
while read -r line; do echo "${line^^}"; done <<<"${words[@]:0:5}"
coproc cat
echo through a coprocess >&"${COPROC[1]}"
read -r line <&"${COPROC[0]}"
echo "$line"
SCRIPT
trap 'rm -rf "$work" "$work.script"' EXIT

same "bash script" bash "$work.script"
same "bash fails alike" bash -c 'bash -c "exit 7"; echo $?; cd /nowhere 2>&1; type -t malloc; true'
finish
