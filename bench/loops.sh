#!/usr/bin/env bash
# What does a second loop bring on one node? Two pods of one ztunnel (both ends of every tunnel in one process), iperf3 with 8 streams, 1 and 2 loops in turn.
#   bench/loops.sh [--rounds N] [--seconds N] [--tsv FILE]      default 3 rounds of 3 s; needs root and the native binary (src/publish.sh, or ZTUNNEL_BINARY); FILE gets lines for bench/run.sh's table
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
readonly ZTUNNEL=${ZTUNNEL_BINARY:-$PWD/artifacts/native/ztunnel}
readonly PREFIX=zt-loops-$$- STREAMS=8
TICKS=$(getconf CLK_TCK)
FOLDER=$(mktemp -d)
readonly TICKS FOLDER
rounds=3 seconds=3 tsv=""
proxy="" agent="" server=""

fail() { echo "bench/loops.sh: $*" >&2; exit 1; }

stop() {
  [ -n "$1" ] || return 0
  kill "$1" 2>/dev/null || true
  wait "$1" 2>/dev/null || true
}

tidy() {
  stop "$agent"
  stop "$proxy"
  stop "$server"
  local name
  for name in node front cart net; do
    ip netns delete "$PREFIX$name" 2>/dev/null || true
  done
  rm -rf "$FOLDER"
}

inside() {
  local name=$1
  shift
  ip netns exec "$PREFIX$name" "$@"
}

# start NAMESPACE LOG COMMAND...: its process id in $started
start() {
  local name=$1 log=$2
  shift 2
  ip netns exec "$PREFIX$name" "$@" >"$FOLDER/$log" 2>&1 </dev/null &
  started=$!
}

# wait_until WHAT COMMAND...
wait_until() {
  local what=$1 end=$((SECONDS + 10))
  shift
  until "$@" >/dev/null 2>&1; do
    [ "$SECONDS" -lt "$end" ] || { tail -n 5 "$FOLDER"/*.log >&2; fail "no $what within 10 s"; }
    sleep 0.1
  done
}

make_namespaces() {
  ip netns add "${PREFIX}net"
  # A fixed address: else it is the lowest of its ports and changes as they come.
  inside net ip link add br0 address 02:00:00:00:00:01 type bridge
  inside net ip link set br0 up
  local name address=1
  for name in node front cart; do
    ip netns add "$PREFIX$name"
    inside "$name" ip link set lo up
    inside "$name" sysctl -qw net.ipv4.tcp_congestion_control=cubic 2>/dev/null || true
    ip link add eth0 netns "$PREFIX$name" type veth peer name "v-$name" netns "${PREFIX}net"
    inside net ip link set "v-$name" master br0 up
    inside "$name" ip address add "10.214.0.$address/24" dev eth0
    inside "$name" ip link set eth0 up
    inside "$name" ip route add default via 10.214.0.254
    address=$((address + 1))
  done
}

# node is 10.214.0.1, front .2, cart .3
write_files() {
  local name address=2
  echo "workloads:" >"$FOLDER/mesh.yaml"
  for name in front cart; do
    echo "- {uid: 'loops//Pod/default/$name', name: $name, namespace: default, serviceAccount: $name, trustDomain: cluster.local, node: node, network: '', protocol: HBONE, workloadIps: ['10.214.0.$address'], services: {}}"
    address=$((address + 1))
  done >>"$FOLDER/mesh.yaml"
  cat >"$FOLDER/pods.json" <<JSON
{"pods": [
  {"uid": "uid-front", "name": "front", "namespace": "default", "serviceAccount": "front", "netns": "/run/netns/${PREFIX}front"},
  {"uid": "uid-cart", "name": "cart", "namespace": "default", "serviceAccount": "cart", "netns": "/run/netns/${PREFIX}cart"}
]}
JSON
}

cpu_ticks() { awk '{ print $14 + $15 }' "/proc/$proxy/stat"; }

# measure LOOPS: one line "LOOPS Gbit/s CPU-seconds-per-GiB"
measure() {
  local loops=$1 before after
  rm -f "$FOLDER/zds.sock"
  start node agent.log "$ZTUNNEL" agent --pods "$FOLDER/pods.json" --socket "$FOLDER/zds.sock" --dns-capture false
  agent=$started
  start node ztunnel.log env PROXY_MODE=shared NODE_NAME=node "INPOD_UDS=$FOLDER/zds.sock" ISTIO_META_DNS_CAPTURE=false XDS_ADDRESS='' "LOCAL_XDS_PATH=$FOLDER/mesh.yaml" FAKE_CA=true \
    "ZTUNNEL_FAKE_CA_ROOT=$FOLDER/root.pem" RUST_LOG=warn "ZTUNNEL_WORKER_THREADS=$loops" "$ZTUNNEL" proxy
  proxy=$started
  wait_until "readiness of ztunnel" inside node curl -sf http://127.0.0.1:15021/healthz/ready
  wait_until "iperf3 through the proxy" inside front iperf3 -c 10.214.0.3 -n 1M --connect-timeout 2000
  before=$(cpu_ticks)
  inside front iperf3 -c 10.214.0.3 -P "$STREAMS" -t "$seconds" -J >"$FOLDER/iperf3.json" || fail "iperf3: $(tail -n 3 "$FOLDER/iperf3.json")"
  after=$(cpu_ticks)
  stop "$agent"
  stop "$proxy"
  agent="" proxy=""
  python3 - "$FOLDER/iperf3.json" "$loops" "$((after - before))" "$TICKS" <<'PYTHON'
import json, sys
received = json.load(open(sys.argv[1]))["end"]["sum_received"]
print(sys.argv[2], f"{received['bits_per_second'] / 1e9:.2f}", f"{int(sys.argv[3]) / int(sys.argv[4]) / (received['bytes'] / 2**30):.3f}")
PYTHON
}

# median_of COLUMN LOOPS, of the lines in $FOLDER/figures
median_of() {
  awk -v column="$1" -v loops="$2" '$1 == loops { print $column }' "$FOLDER/figures" | sort -n | awk '{ value[NR] = $1 } END { print NR % 2 ? value[(NR + 1) / 2] : (value[NR / 2] + value[NR / 2 + 1]) / 2 }'
}

while [ $# -gt 0 ]; do
  [ $# -ge 2 ] || fail "$1: expected a value"
  case "$1" in
    --rounds) rounds=$2 ;;
    --seconds) seconds=$2 ;;
    --tsv) tsv=$2 ;;
    *) fail "$1: no such option" ;;
  esac
  shift 2
done
[ "$(id -u)" -eq 0 ] || fail "network namespaces need root"
[ -x "$ZTUNNEL" ] || fail "$ZTUNNEL is not there: src/publish.sh makes it"
for program in iperf3 curl python3; do
  command -v "$program" >/dev/null || fail "$program is missing: apt-get install $program"
done

trap tidy EXIT
make_namespaces
write_files
start cart iperf3.log iperf3 -s --forceflush
server=$started
wait_until "iperf3" grep -q listening "$FOLDER/iperf3.log"
for ((round = 0; round < rounds; round++)); do
  for loops in 1 2; do
    measure "$loops" >>"$FOLDER/figures"
    tail -n 1 "$FOLDER/figures" | awk '{ printf "%d loop%s: %s Gbit/s, %s CPU s/GiB\n", $1, $1 == 1 ? "" : "s", $2, $3 }'
  done
done
rate=$(awk -v one="$(median_of 2 1)" -v two="$(median_of 2 2)" 'BEGIN { printf "%.2f", two / one }')
cpu=$(awk -v one="$(median_of 3 1)" -v two="$(median_of 3 2)" 'BEGIN { printf "%.2f", two / one }')
echo "one node, $STREAMS streams, $(nproc) cores: 2 loops carry $rate × of 1 loop, at $cpu × the CPU per GiB (medians of $rounds rounds of $seconds s)"
[ -z "$tsv" ] || printf 'one node, %d streams: CPU per GiB with 2 loops × 1 loop\tat-most\t1.08\t%s\n' "$STREAMS" "$cpu" >>"$tsv"
