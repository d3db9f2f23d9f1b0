#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The manual pages: every option, statistic, command and public function has its entry, and no page
# has an entry for an option or a statistic that is not there; the formatter has no complaints.
source "${BASH_SOURCE%/*}/lib/cli.bash"
need mandoc man python3
docs=${BASH_SOURCE%/*}/../../docs
include=${BASH_SOURCE%/*}/../../include

# Two lists of words, sorted, are the same.
same_words() { # NAME LIST LIST
    diff <(tr ' ' '\n' <<<"$2" | sort -u) <(tr ' ' '\n' <<<"$3" | sort -u) >"$work/stdout" 2>"$work/stderr"
    [[ $? == 0 && -n $2 ]] && verdict "$1" ok || verdict "$1" FAIL
}

keys=$(POOLMALLOC_CONF=confirm_conf:true "$tool" run true 2>&1 |
    sed -n 's/^poolmalloc: options: //p' | tr ',' '\n' | cut -d: -f1)
same_words "every option" "$keys" "$(sed -n 's/^\.It Cm \([a-z_]*\) : .*/\1/p' "$docs/poolmalloc.conf.5")"

"$tool" run --stats=json -- ls -d / 2>"$work/json" >/dev/null
named() { # PYTHON, of the report: an object whose members have entries
    python3 -c "import json, sys
report = json.load(open(sys.argv[1]))['poolmalloc']
print(*[key for key, value in ($1).items() if type(value) is int and key not in ('bytes', 'slots', 'index')])" \
        "$work/json"
}
in_page() { # SECTION
    sed -n "/^\.S[hs] $1/,/^\.El/s/^\.It \([a-z_]*\)$/\1/p" "$docs/poolmalloc.1"
}
same_words "every statistic" "$(named "report['totals']")" "$(in_page STATISTICS)"
same_words "every statistic of a class" "$(named "report['classes'][0]")" "$(in_page 'Of a size class')"
same_words "every statistic of an arena" "$(named "report['arenas'][0]")" "$(in_page 'Of an arena')"

commands=$("$tool" --help | sed -n 's/^  \([a-z]*\) .*/\1/p')
same_words "every command" "$commands" \
    "$(sed -n '/^\.Sh DESCRIPTION/,/^\.Sh STAT/s/^\.It Cm \([a-z]*\)$/\1/p' "$docs/poolmalloc.1")"
for command in $commands; do
    for option in $("$tool" $command --help | grep -o '^ .*--[a-z-]*' | grep -o '\--[a-z-]*'); do
        expect "$command $option" 0 "Fl -?${option#-}( |$)|Fl [a-z] , Fl ${option#-}( |$)" \
            sed -n "/^\.It Cm $command\$/,/^\.It Cm [a-z]*\$/p" "$docs/poolmalloc.1"
    done
done

functions=$(cat "$include/poolmalloc.h" "$include"/poolmalloc/control.h | grep -Eo '^[a-z].*\bpm_[a-z_]+\(' |
    grep -o 'pm_[a-z_]*')
same_words "every function" "$functions" "$(sed -n 's/^\.F[no] \(pm_[a-z_]*\).*/\1/p' "$docs/poolmalloc.3")"

silent() { # COMMAND: fails if it says anything
    local said
    said=$("$@" 2>&1 >/dev/null)
    [[ -z $said ]] || { echo "$said"; return 1; }
}
lint() { mandoc -T lint -W warning "$1" >&2; }
export -f silent lint
for page in poolmalloc.1 poolmalloc.3 poolmalloc.conf.5; do
    expect "$page: mandoc" 0 '' bash -c "silent lint '$docs/$page'"
    expect "$page: man" 0 '' bash -c "silent man --warnings -E UTF-8 -l '$docs/$page'"
done
finish
