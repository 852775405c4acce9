#!/usr/bin/env bash
# What does a query cost? Mesh answers beside unbound with local data, forwarded ones beside dnsmasq without cache; dnsperf with 10 clients, 100 outstanding. bench/README.md says how to read it.
#   bench/dns.sh [SECONDS [TSV]]      of each measurement, default 5; TSV: a file that gets lines for bench/run.sh's table; needs root and the native binary (src/publish.sh, or ZTUNNEL_BINARY)
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
readonly SECONDS_EACH=${1:-5} TSV=${2:-} ROUNDS=3 NAMES=200
readonly ZTUNNEL=${ZTUNNEL_BINARY:-$PWD/artifacts/native/ztunnel}
readonly POD=zt-bench-dns-$$ OUTSIDE=zt-bench-out-$$ RESOLVER=10.89.0.254
TICKS=$(getconf CLK_TCK)
FOLDER=$(mktemp -d)
readonly TICKS FOLDER
declare -A pids

fail() { echo "bench/dns.sh: $*" >&2; exit 1; }

stop_all() {
  local pid
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  wait 2>/dev/null || true
  ip netns delete "$POD" 2>/dev/null || true
  ip netns delete "$OUTSIDE" 2>/dev/null || true
  rm -rf "$FOLDER" "/etc/netns/$POD"
}

# start NAME NAMESPACE COMMAND...
start() {
  local name=$1 namespace=$2
  shift 2
  ip netns exec "$namespace" "$@" >"$FOLDER/$name.log" 2>&1 &
  pids[$name]=$!
}

# The port answers, or ten seconds pass.
await() {
  local name=$1 port=$2 query=$3 try
  for ((try = 0; try < 50; try++)); do
    [ -n "$(ip netns exec "$POD" dig @127.0.0.1 -p "$port" +short +tries=1 +timeout=1 "$query" 2>/dev/null)" ] && return
    kill -0 "${pids[$name]}" 2>/dev/null || break
    sleep 0.2
  done
  tail -n 5 "$FOLDER/$name.log" >&2
  fail "$name does not answer on port $port"
}

cpu_ticks() { awk '{ print $14 + $15 }' "/proc/$1/stat"; }

# measure SUBJECT NAME PORT QUERIES: one line "rate microseconds-of-CPU-per-query lost"
measure() {
  local name=$2 port=$3 queries=$4 before after
  before=$(cpu_ticks "${pids[$name]}")
  ip netns exec "$POD" dnsperf -s 127.0.0.1 -p "$port" -d "$queries" -c 10 -q 100 -l "$SECONDS_EACH" >"$FOLDER/dnsperf.txt" 2>&1 || fail "dnsperf: $(tail -n 3 "$FOLDER/dnsperf.txt")"
  after=$(cpu_ticks "${pids[$name]}")
  awk -v subject="$1" -v ticks=$((after - before)) -v hz="$TICKS" '
    /Queries completed:/ { done = $3 } /Queries lost:/ { lost = $3 } /Queries per second:/ { rate = $4 } /Response codes:/ { codes = $3 " " $4 " " $5 }
    END { printf "%s\t%.0f\t%.2f\t%d\t%s\n", subject, rate, ticks / hz * 1e6 / done, lost, codes }' "$FOLDER/dnsperf.txt"
}

[ "$(id -u)" -eq 0 ] || fail "network namespaces need root"
[ -x "$ZTUNNEL" ] || fail "$ZTUNNEL is not there: src/publish.sh artifacts/native"
for program in dnsperf unbound dnsmasq dig; do
  command -v "$program" >/dev/null || fail "$program is missing: apt-get install dnsperf unbound dnsmasq-base dnsutils"
done

trap stop_all EXIT
ip netns add "$POD"
ip netns add "$OUTSIDE"
ip -n "$POD" link set lo up
ip link add eth0 netns "$POD" type veth peer name eth0 netns "$OUTSIDE"
ip -n "$POD" address add 10.89.0.1/24 dev eth0
ip -n "$OUTSIDE" address add "$RESOLVER/24" dev eth0
ip -n "$POD" link set eth0 up
ip -n "$OUTSIDE" link set eth0 up
mkdir -p "/etc/netns/$POD"
echo "nameserver $RESOLVER" >"/etc/netns/$POD/resolv.conf"

# The same names for all: NAMES services with one address each, and as many names outside.
{
  echo "workloads:"
  echo "- {uid: c//Pod/default/a, name: a, namespace: default, serviceAccount: a, node: n, network: '', workloadIps: [10.89.0.1], protocol: HBONE, services: {}}"
  echo "services:"
  for ((i = 0; i < NAMES; i++)); do
    echo "- {name: svc$i, namespace: default, hostname: svc$i.default.svc.cluster.local, vips: ['/10.99.1.$((i % 250))'], ports: {80: 80}}"
  done
} >"$FOLDER/mesh.yaml"
unbound_config() {
  printf 'server:\n interface: %s@%s\n access-control: 0.0.0.0/0 allow\n username: ""\n chroot: ""\n directory: "%s"\n pidfile: ""\n use-syslog: no\n do-daemonize: no\n do-ip6: no\n num-threads: 2\n so-reuseport: yes\n local-zone: "%s." static\nremote-control:\n control-enable: no\nserver:\n' \
    "$1" "$2" "$FOLDER" "$3"
}
{
  unbound_config 127.0.0.1 5301 cluster.local
  for ((i = 0; i < NAMES; i++)); do
    echo " local-data: 'svc$i.default.svc.cluster.local. 30 IN A 10.99.1.$((i % 250))'"
    echo "svc$i.default.svc.cluster.local A" >>"$FOLDER/mesh.queries"
  done
} >"$FOLDER/unbound.conf"
{
  unbound_config "$RESOLVER" 53 up.test
  for ((i = 0; i < NAMES; i++)); do
    echo " local-data: 'n$i.up.test. 30 IN A 192.0.2.1'"
    echo "n$i.up.test A" >>"$FOLDER/forward.queries"
  done
} >"$FOLDER/resolver.conf"

start resolver "$OUTSIDE" unbound -d -c "$FOLDER/resolver.conf"
start unbound "$POD" unbound -d -c "$FOLDER/unbound.conf"
start dnsmasq "$POD" dnsmasq --no-daemon --port=5302 --listen-address=127.0.0.1 --bind-interfaces --no-hosts --no-resolv --server="$RESOLVER" --cache-size=0 --dns-forward-max=2000
PROXY_MODE=dedicated PROXY_WORKLOAD_INFO=default/a/a ENABLE_PROXY=false XDS_ADDRESS='' LOCAL_XDS_PATH=$FOLDER/mesh.yaml FAKE_CA=true ZTUNNEL_FAKE_CA_ROOT=$FOLDER/root.pem RUST_LOG=info \
  start ztunnel "$POD" "$ZTUNNEL" proxy ztunnel
await unbound 5301 svc1.default.svc.cluster.local
await dnsmasq 5302 n1.up.test
await ztunnel 15053 n1.up.test

echo "# $(date -u +%F), $(nproc) cores, dnsperf -c 10 -q 100, $SECONDS_EACH s each, $ROUNDS rounds in turn; bench/dns.sh $SECONDS_EACH"
printf 'subject\tqueries/s\tCPU us/query\tlost\tcodes\n'
for ((round = 0; round < ROUNDS; round++)); do
  measure "mesh: unbound" unbound 5301 "$FOLDER/mesh.queries"
  measure "mesh: ztunnel" ztunnel 15053 "$FOLDER/mesh.queries"
  measure "forward: dnsmasq" dnsmasq 5302 "$FOLDER/forward.queries"
  measure "forward: ztunnel" ztunnel 15053 "$FOLDER/forward.queries"
done | tee "$FOLDER/figures"

# ratio WHAT BOUND COLUMN OURS PEER: ratio of the medians as a line of the table
ratio() {
  awk -F '\t' -v what="$1" -v bound="$2" -v column="$3" -v ours="$4" -v peer="$5" '
    function median(values, count, i, j, swap) {
      for (i = 2; i <= count; i++) for (j = i; j > 1 && values[j] < values[j - 1]; j--) { swap = values[j]; values[j] = values[j - 1]; values[j - 1] = swap }
      return count % 2 ? values[(count + 1) / 2] : (values[count / 2] + values[count / 2 + 1]) / 2
    }
    $1 == ours { a[++n] = $column } $1 == peer { b[++m] = $column }
    END { printf "%s\t%s\t1\t%.3f\n", what, bound, median(a, n) / median(b, m) }' "$FOLDER/figures"
}

if [ -n "$TSV" ]; then
  {
    ratio "DNS, mesh answers: rate × unbound" at-least 2 "mesh: ztunnel" "mesh: unbound"
    ratio "DNS, mesh answers: CPU per query × unbound" at-most 3 "mesh: ztunnel" "mesh: unbound"
    ratio "DNS, forwarded: rate × dnsmasq" at-least 2 "forward: ztunnel" "forward: dnsmasq"
    ratio "DNS, forwarded: CPU per query × dnsmasq" at-most 3 "forward: ztunnel" "forward: dnsmasq"
  } >>"$TSV"
fi
