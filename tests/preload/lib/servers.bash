# SPDX-License-Identifier: LGPL-2.1-or-later
# Sourced by servers.sh: real servers on loopback, loaded for $seconds each, plain and preloaded.
# A server is three functions: start_X sets `server` (its first process), load_X loads it for a given
# number of seconds and returns false at any error, stop_X ends it and returns its verdict.
#
#   compare_server X   runs both sides; fails on an error or when the preloaded run grows by more
#                      than the plain one plus a fifth of its memory plus 8 MiB

seconds=${POOLMALLOC_LOAD_SECONDS:-8}
port=0

pick_port() {
    port=$((20000 + RANDOM % 12000))
}

# Memory of the server's processes in KiB: private pages, and shared ones by their share.
memory_kib() {
    local pids
    pids=$(ps -o pid= --pid "$server" --ppid "$server")
    for pid in $pids; do cat "/proc/$pid/smaps_rollup" 2>/dev/null; done |
        awk '/^Pss:/ { sum += $2 } END { print sum + 0 }'
}

# The same once it shrinks no more: what was freed last goes back within a second or two.
memory_at_rest_kib() {
    local before now
    now=$(memory_kib)
    for _ in {1..15}; do
        before=$now
        sleep 1
        now=$(memory_kib)
        ((now < before - before / 100)) || break
    done
    echo "$now"
}

# Prints "START_KIB END_KIB": memory after a quarter of the time and at the end.
run_server() {
    local name=$1 early late
    "start_$name" || return 1
    "load_$name" $((seconds / 4)) || { "stop_$name"; return 1; }
    early=$(memory_at_rest_kib)
    "load_$name" $((seconds - seconds / 4)) || { "stop_$name"; return 1; }
    late=$(memory_at_rest_kib)
    "stop_$name" || return 1
    echo "$early $late"
}

compare_server() {
    local name=$1 plain pooled plain_early plain_late early late
    mkdir -p "$work/$name" && cd "$work/$name" || exit 1
    preload='' plain=$(run_server "$name") || { failed=$((failed + 1)); echo "FAIL $name, plain"; return; }
    preload=$library pooled=$(run_server "$name") ||
        { failed=$((failed + 1)); echo "FAIL $name, preloaded"; tail -n 20 ./*.log; return; }
    read -r plain_early plain_late <<<"$plain"
    read -r early late <<<"$pooled"
    printf '%-10s %4d s   plain %7d -> %7d KiB   preloaded %7d -> %7d KiB\n' "$name" "$seconds" \
        "$plain_early" "$plain_late" "$early" "$late"
    if ((late - early > plain_late - plain_early + late / 5 + 8192)); then
        failed=$((failed + 1))
        echo "FAIL $name grows under the library"
    else
        passed=$((passed + 1))
    fi
}

# Starts a program in the background with the library, and checks that it is really mapped.
launch() {
    LD_PRELOAD=$preload "$@" >>server.log 2>&1 &
    server=$!
}
is_preloaded() {
    [[ -z $preload ]] || grep -q "${preload##*/}" "/proc/$server/maps"
}

wait_for_port() {
    for _ in {1..100}; do
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && return 0
        kill -0 "$server" 2>/dev/null || break
        sleep 0.1
    done
    return 1
}

# ---- redis: a mixed load with background saves and rewrites, that is forks ------------------------
start_redis() {
    pick_port
    rm -rf appendonlydir
    launch redis-server --bind 127.0.0.1 --port $port --save '' --appendonly yes --dir .
    wait_for_port && is_preloaded
}
load_redis() {
    local until=$((SECONDS + $1))
    while ((SECONDS < until)); do
        redis-benchmark -p $port -q -n 20000 -c 20 -r 20000 -d $((RANDOM % 2000)) \
            -t set,get,lpush,lpop,hset,sadd,zadd,mset >benchmark.log 2>&1 || return 1
        redis-cli -p $port ltrim mylist 0 1000 >/dev/null
        redis-cli -p $port bgsave >/dev/null
        redis-cli -p $port bgrewriteaof >/dev/null
    done
    while [[ $(redis-cli -p $port info persistence) == *_in_progress:1* ]]; do sleep 0.1; done
    # Growth is judged with the same data on both sides, not with what chance left in the lists.
    redis-cli -p $port flushall >/dev/null
    redis-benchmark -p $port -q -n 20000 -r 20000 -d 500 -t set >benchmark.log 2>&1
    [[ $(redis-cli -p $port info persistence) == *rdb_last_bgsave_status:ok* ]]
}
stop_redis() {
    redis-cli -p $port shutdown nosave
    wait $server
}

# ---- memcached: sizes of all kinds, more than fits -------------------------------------------------
start_memcached() {
    pick_port
    launch memcached -l 127.0.0.1 -p $port -m 64 -t 4 -u "$(id -un)"
    wait_for_port && is_preloaded
}
load_memcached() {
    python3 - $port "$1" <<'PYTHON'
import random, socket, sys, threading, time
port, seconds = int(sys.argv[1]), int(sys.argv[2])
until = time.time() + seconds
problems = []
def talk(number):
    rng = random.Random(number)
    while time.time() < until:
        with socket.create_connection(('127.0.0.1', port)) as peer:
            stream = peer.makefile('rwb')
            for _ in range(500):
                key = b'%d' % rng.randrange(20000)
                value = key * rng.randrange(1, 3000)
                stream.write(b'set %s 0 0 %d\r\n%s\r\nget %s\r\n' % (key, len(value), value, key))
                stream.flush()
                if stream.readline() != b'STORED\r\n': problems.append('set')
                line = stream.readline()
                if line != b'END\r\n':  # another thread may have set it again meanwhile
                    size = int(line.split()[3])
                    got = stream.read(size + 2)[:-2]
                    if got != key * (size // len(key)): problems.append('get')
                    stream.readline()
threads = [threading.Thread(target=talk, args=(i,)) for i in range(6)]
[t.start() for t in threads]; [t.join() for t in threads]
sys.exit(bool(problems))
PYTHON
}
stop_memcached() {
    kill $server
    wait $server
    [[ $? == 0 || $? == 143 ]]
}

# ---- nginx: static files, compressed, with reloads -------------------------------------------------
start_nginx() {
    pick_port
    mkdir -p files
    seq 200000 >files/numbers.txt
    cat >nginx.conf <<NGINX
daemon off; worker_processes 2; pid $PWD/nginx.pid; error_log $PWD/error.log;
events { worker_connections 256; }
http { access_log off; gzip on; gzip_types text/plain; client_body_temp_path $PWD/body;
    proxy_temp_path $PWD/proxy; fastcgi_temp_path $PWD/fastcgi; uwsgi_temp_path $PWD/uwsgi;
    scgi_temp_path $PWD/scgi;
    server { listen 127.0.0.1:$port; root $PWD/files; location /proxy/ { proxy_pass http://127.0.0.1:$port/; } } }
NGINX
    chmod 755 "$work" . && chmod -R a+rX files
    launch nginx -c "$PWD/nginx.conf" -p "$PWD"
    wait_for_port && is_preloaded
}
load_nginx() {
    local until=$((SECONDS + $1))
    while ((SECONDS < until)); do
        python3 - $port <<'PYTHON' || return 1
import http.client, sys, threading, time, zlib
port = int(sys.argv[1])
until = time.time() + 1.5
expected = ''.join('%d\n' % i for i in range(1, 200001)).encode()
problems = []
def ask(path):
    while time.time() < until:
        for attempt in range(3):  # an idle connection may be closed by a reload
            try:
                peer = http.client.HTTPConnection('127.0.0.1', port, timeout=20)
                peer.request('GET', path, headers={'Accept-Encoding': 'gzip'})
                body = zlib.decompress(peer.getresponse().read(), 31)
                break
            except (ConnectionError, http.client.HTTPException):
                body = b''
        if body != expected: problems.append(path)
        peer.close()
threads = [threading.Thread(target=ask, args=(p,)) for p in ('/numbers.txt', '/proxy/numbers.txt') * 2]
[t.start() for t in threads]; [t.join() for t in threads]
sys.exit(bool(problems))
PYTHON
        kill -HUP $server
        sleep 0.2
    done
}
stop_nginx() {
    kill -QUIT $server
    wait $server && ! grep -E 'alert|crit|emerg|signal [0-9]* *\(core|exited on signal' error.log
}

# ---- PostgreSQL: pgbench, half of it with a new server process per transaction ---------------------
as_postgres() {
    if ((EUID == 0)); then
        setpriv --reuid=postgres --regid=postgres --clear-groups -- "$@"
    else
        "$@"
    fi
}
start_postgresql() {
    pick_port
    binaries=$(echo /usr/lib/postgresql/*/bin)
    chmod 755 "$work"
    rm -rf data
    mkdir -p data
    ((EUID != 0)) || chown -R postgres . data
    as_postgres "$binaries/initdb" -D data -A trust -U postgres >init.log 2>&1 || return 1
    LD_PRELOAD=$preload as_postgres "$binaries/postgres" -D data -p $port -k "$PWD" \
        -c listen_addresses=127.0.0.1 -c fsync=off >>server.log 2>&1 &
    for _ in {1..100}; do
        server=$(head -n 1 data/postmaster.pid 2>/dev/null)
        as_postgres "$binaries/pg_isready" -q -h 127.0.0.1 -p $port && break
        sleep 0.1
    done
    is_preloaded && as_postgres "$binaries/pgbench" -q -i -s 5 -h 127.0.0.1 -p $port -U postgres \
        postgres >init.log 2>&1
}
load_postgresql() {
    local half=$((($1 + 1) / 2))
    as_postgres "$binaries/pgbench" -h 127.0.0.1 -p $port -U postgres -c 8 -j 2 -T $half postgres \
        >pgbench.log 2>&1 &&
        as_postgres "$binaries/pgbench" -C -S -h 127.0.0.1 -p $port -U postgres -c 8 -j 2 -T $half \
            postgres >pgbench.log 2>&1 && ! grep -E 'terminated by signal|PANIC|FATAL:.*memory' server.log
}
stop_postgresql() {
    as_postgres "$binaries/pg_ctl" -D data -m fast -w stop >stop.log 2>&1
}
