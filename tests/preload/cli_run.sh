#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# poolmalloc run and compare: the program runs on the pool, what cannot be preloaded is told in one
# line, and the comparison ends with a verdict.
source "${BASH_SOURCE%/*}/lib/cli.bash"
need gcc python3

expect "no command" 2 'usage: poolmalloc COMMAND' "$tool"
expect "help" 0 'compare .* beside other mallocs' "$tool" --help
complains "unknown command" 2 'no command "rum"' "$tool" rum
for command in run compare stats top map doctor trim; do
    expect "$command --help" 0 "^usage: poolmalloc $command" "$tool" $command --help
    expect "$command -h" 0 "^usage: poolmalloc $command" "$tool" $command -h
done

expect "the program is on the pool" 0 "$library" "$tool" run grep libpoolmalloc /proc/self/maps
expect "its exit status" 7 '' "$tool" run sh -c 'exit 7'
expect "its arguments" 0 '^-n --stats$' "$tool" run -- printf '%s %s\n' -n --stats
expect "statistics" 0 'in use by the program' "$tool" run --stats -- true
expect "statistics as asked for" 0 '"poolmalloc"' "$tool" run --stats=json true
expect "options" 0 'arenas:3,.*check:true' \
    "$tool" run -o confirm_conf:true -o arenas:2 -o arenas:3,check:true true
expect "options beside those of the user" 0 'decay_ms:77,.*arenas:3' \
    env POOLMALLOC_CONF=decay_ms:77,confirm_conf:true "$tool" run -o arenas:3 true
expect "another preloaded library stays" 0 ':/nowhere/other.so$' \
    env LD_PRELOAD=/nowhere/other.so "$tool" run sh -c 'echo $LD_PRELOAD'
complains "an option without a value" 2 'KEY:VALUE' "$tool" run -o arenas true
complains "no program" 2 'no program given' "$tool" run
complains "not found" 127 'nosuch: no such program' "$tool" run nosuch
complains "not found by its path" 127 'No such file' "$tool" run /nosuch/program
complains "not executable" 126 'not a program' "$tool" run /etc/passwd
complains "a folder" 126 'not a program' "$tool" run /tmp

echo 'int main(void) { return 0; }' >"$work/empty.c"
build static -static "$work/empty.c"
build plain "$work/empty.c"
complains "static" 126 'statically linked' "$tool" run "$work/static"
printf '#!%s\n' "$work/static" >"$work/script"
printf '#! %s -x\n' "$work/script" >"$work/script2"
printf '#!/bin/sh\necho "$LD_PRELOAD"\n' >"$work/script3"
chmod +x "$work"/script*
complains "a script's static interpreter" 126 'static: statically linked' "$tool" run "$work/script"
complains "a script's script's" 126 'static: statically linked' "$tool" run "$work/script2"
expect "a script" 0 "$library" "$tool" run "$work/script3"
# A program whose header says 32-bit, or another machine (bytes 4 and 18 of an ELF file).
cp "$work/plain" "$work/small"
printf '\x01' | dd of="$work/small" bs=1 seek=4 conv=notrunc status=none
complains "32-bit" 126 'a 32-bit program' "$tool" run "$work/small"
cp "$work/plain" "$work/alien"
printf '\xf3\x00' | dd of="$work/alien" bs=1 seek=18 conv=notrunc status=none
complains "another machine" 126 'another machine' "$tool" run "$work/alien"
head -c 100 "$work/plain" >"$work/short"
chmod +x "$work/short"
complains "a broken program" 126 '' "$tool" run "$work/short"
if ((EUID == 0)); then
    cp "$work/plain" "$work/raised"
    chown nobody "$work/raised"
    chmod u+s "$work/raised"
    complains "set-user-ID" 126 'set-user-ID' "$tool" run "$work/raised"
fi
complains "no such library" 1 'nowhere.so: No such file' "$tool" run -l /nowhere.so true
mkdir "$work/a b"
cp "$library" "$work/a b/lib.so"
complains "a path with blanks" 1 'blanks or colons' "$tool" run -l "$work/a b/lib.so" true

# ---- compare -------------------------------------------------------------------------------------
export LC_ALL=C.UTF-8
expect "a verdict" 0 '^Verdict: beside glibc [0-9.]+, poolmalloc needs .* time .* memory' \
    "$tool" compare --runs 2 --html="$work/page.html" -- python3 -c 'x = [str(i) for i in range(50000)]'
cp "$work/stdout" "$work/table"
expect "a row for each" 0 '^glibc [0-9.]+ +[0-9.]+ m?s .* MiB' cat "$work/table"
expect "and the pool's difference" 0 '^poolmalloc .* [+-][0-9]+% .* [+-][0-9]+%' cat "$work/table"
cat >"$work/page.py" <<'SCRIPT'
import json, sys
page = open(sys.argv[1]).read()
data = json.loads(page.split("const data = ", 1)[1].split(";\n", 1)[0])
names = [allocator["name"] for allocator in data["allocators"]]
assert names[0].startswith("glibc") and names[-1] == "poolmalloc", names
for allocator in data["allocators"]:
    assert len(allocator["runs"]) == 2
    for wall, cpu, peak, mean, status in allocator["runs"]:
        assert 0 < wall < 60 and 0 < cpu < 60 and 1e6 < mean <= peak < 1e9 and status == 0, allocator
assert "http" not in page.split("<body", 1)[0].replace("http-equiv", ""), "needs other files"
print("page of", len(names))
SCRIPT
expect "the page's data" 0 '^page of' python3 "$work/page.py" "$work/page.html"
expect "runs that fail are told" 0 'runs? FAILED' "$tool" compare -n 1 --only=poolmalloc false
expect "another library" 0 '^mine ' "$tool" compare -n 1 -a "mine=$library" --only=none true
complains "no runs" 2 '--runs is 1 to' "$tool" compare -n 0 true
complains "compare: static" 126 'statically linked' "$tool" compare "$work/static"
complains "compare: a page that cannot be written" 1 '/nowhere/page: No such file' \
    "$tool" compare --html=/nowhere/page true
complains "compare: no program" 2 'no program' "$tool" compare
echo 'same input' >"$work/text"
expect "input from a file, each time anew" 0 '^same input$' \
    sh -c "'$tool' compare -n 2 --only=none --show-output cat <'$work/text'"
finish
