# SPDX-License-Identifier: LGPL-2.1-or-later
# Sourced after same.bash: a redis-server of our own on a free loopback port. One function,
#   redis_session REQUEST_COUNT   start, load, benchmark, save in the background, query, stop.

start_redis() {
    for _ in 1 2 3 4 5; do
        port=$((20000 + RANDOM % 12000))
        redis-server --bind 127.0.0.1 --port $port --save '' --appendonly no --io-threads 2 \
            --dir . --dbfilename dump.rdb --daemonize no >server.log 2>&1 &
        server=$!
        for _ in {1..100}; do
            redis-cli -p $port ping >ping.log 2>&1 && grep -q PONG ping.log && return 0
            kill -0 $server 2>/dev/null || break # the port was taken: try another
            sleep 0.1
        done
    done
    cat server.log >&2
    return 1
}

redis_session() {
    local request_count=$1 server port
    start_redis || return 1
    awk -v ORS='\r\n' 'BEGIN { for (i = 0; i < 20000; i++) { x = i * 7919 % 20011
            print "SET key:" i, x; print "LPUSH list:" i % 50, x; print "HSET hash:" i % 20, "f" x, i
            print "ZADD sorted", x, "m" i; if (i % 3 == 0) print "DEL key:" i - 5 } }' |
        redis-cli -p "$port" --pipe || return 1
    redis-benchmark -p "$port" -q -n "$request_count" -c 20 -r 1000 \
        -t set,get,lpush,hset,lrange_100,mset >benchmark.log 2>&1 || return 1
    redis-cli -p "$port" <<<'BGSAVE' >/dev/null
    while [[ $(redis-cli -p "$port" info persistence) == *rdb_bgsave_in_progress:1* ]]; do sleep 0.1; done
    redis-cli -p "$port" info persistence | grep rdb_last_bgsave_status
    printf '%s\n' 'LRANGE list:7 0 -1' 'HGETALL hash:3' 'ZRANGE sorted 0 500 WITHSCORES' 'GET key:77' |
        redis-cli -p "$port" | sort # a hash is listed in an order of its own
    redis-cli -p "$port" shutdown nosave
    wait $server
    echo "server ended with $?"
    rm -f ./*.log dump.rdb # times and rates
}
