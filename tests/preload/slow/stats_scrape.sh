#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The way of a figure to a dashboard: a program writes its metrics by interval, node_exporter's
# textfile collector serves them, Prometheus scrapes it on loopback and answers a query; and every
# metric that the Grafana dashboard asks for is there.
source "${BASH_SOURCE%/*}/../lib/same.bash"
need python3 prometheus-node-exporter prometheus promtool curl
root=$(cd "${BASH_SOURCE%/*}/../../.." && pwd)
cd "$work" || exit 1
mkdir metrics
jobs=()
trap 'kill "${jobs[@]}" 2>/dev/null; wait; rm -rf "$work"' EXIT

eventually() {
    for _ in {1..150}; do
        "$@" && return 0
        sleep 0.2
    done
    return 1
}

# A program that holds 100,000 blocks of 500 bytes and goes on allocating.
cat >program.py <<'SCRIPT'
import time
held = [bytearray(460) for _ in range(100000)]
while True:
    words = [str(i) for i in range(50000)]
    time.sleep(0.02)
SCRIPT
POOLMALLOC_STATS=prometheus:$work/metrics/program.prom POOLMALLOC_STATS_INTERVAL=1 \
    PYTHONMALLOC=malloc LD_PRELOAD=$library python3 program.py &
jobs+=($!)

node_port=$((20000 + RANDOM % 10000))
prometheus-node-exporter --web.listen-address=127.0.0.1:$node_port --collector.disable-defaults \
    --collector.textfile --collector.textfile.directory="$work/metrics" 2>node.log &
jobs+=($!)
cat >prometheus.yml <<YAML
global: {scrape_interval: 1s}
scrape_configs: [{job_name: node, static_configs: [{targets: ['127.0.0.1:$node_port']}]}]
YAML
prometheus_port=$((node_port + 1))
prometheus --config.file=prometheus.yml --storage.tsdb.path=data \
    --web.listen-address=127.0.0.1:$prometheus_port 2>prometheus.log &
jobs+=($!)

query() { # EXPRESSION: prints its value, fails without one
    curl -sfG "http://127.0.0.1:$prometheus_port/api/v1/query" --data-urlencode "query=$1" |
        python3 -c 'import json, sys
result = json.load(sys.stdin)["data"]["result"]
print(result[0]["value"][1]); sys.exit(not result)' 2>/dev/null
}

served() { curl -sf "http://127.0.0.1:$node_port/metrics" >served; grep -q '^poolmalloc_resident_bytes' served; }
check "node_exporter serves the metrics" eventually served
check "node_exporter found no fault in them" grep -q '^node_textfile_scrape_error 0' served
check "Prometheus answers" eventually query poolmalloc_resident_bytes
check "the blocks held are counted" eventually eval \
    '[[ $(query "poolmalloc_in_use_bytes > bool 46e6") == 1 ]]'
check "a rate can be had" eventually query 'rate(poolmalloc_allocs_total[10s]) > 0'

# Every expression of the dashboard gives a value.
python3 - "$root/docs/grafana-dashboard.json" >expressions <<'SCRIPT'
import json, sys
for panel in json.load(open(sys.argv[1]))["panels"]:
    for target in panel.get("targets", []):
        print(target["expr"].replace("$__rate_interval", "10s").replace('{instance=~"$instance"}', "")
              .replace('instance=~"$instance",', ""))
SCRIPT
check "the dashboard has expressions" test "$(wc -l <expressions)" -ge 10
while read -r expression; do
    check "dashboard: $expression" query "$expression"
done <expressions
finish
