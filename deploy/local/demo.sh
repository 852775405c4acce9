#!/usr/bin/env bash
# Two nodes on one machine: unmodified programs in four pods talk through two native ztunnels, and this script shows what really crosses the wire.
#   deploy/local/demo.sh           set up, measure, remove everything
#   deploy/local/demo.sh --xds     mesh and certificates from a control plane (a stand-in for istiod) instead of files
#   deploy/local/demo.sh --keep    leave it running
#   deploy/local/demo.sh down      remove what --keep left
# Needs a Debian or Ubuntu machine with the .NET SDK, and root (asks sudo for it). Installs the packages it needs.
set -Eeuo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
readonly here root
# shellcheck source=packages.sh
. "$here/packages.sh"
# shellcheck source=topology.sh
. "$here/topology.sh"
# shellcheck source=measure.sh
. "$here/measure.sh"
# shellcheck source=mesh.sh
. "$here/mesh.sh"
# shellcheck source=control.sh
. "$here/control.sh"

readonly STATE=/run/zt-demo
readonly ZTUNNEL=$root/artifacts/native/ztunnel
readonly VIP=10.202.0.10
readonly IPERF_SECONDS=3
marker="plaintext-marker-$$-$RANDOM"
readonly marker
keep=no
control='file'
steps=0

step() {
  steps=$((steps + 1))
  printf '\n%d. %s\n' "$steps" "$*"
}

fact() { printf '   %s\n' "$*"; }

# In a $(...) this ends the subshell only, and the caller's ERR trap comes here again: the first reason is the one that counts.
fail() {
  [ ! -e "$STATE/failed" ] || exit 1
  printf '\ndemo.sh: FAILED: %s\n' "$*" >&2
  [ ! -d "$STATE" ] || touch "$STATE/failed"
  local log
  for log in "$STATE"/node-*.log; do
    [ -s "$log" ] && printf -- '-- the end of %s\n%s\n' "$log" "$(tail -n 8 "$log")" >&2
  done
  exit 1
}

# Programs and the packages they come in.
install_packages() {
  install_missing "${TMPDIR:-/tmp}/zt-demo-packages.log" <<'PACKAGES'
clang           clang
zlib1g-dev      -
libssl3         -
iproute2        ip
iptables        iptables-restore
util-linux      nsenter
procps          sysctl
curl            curl
python3         python3
iperf3          iperf3
tshark          tshark
PACKAGES
}

publish_binary() {
  if [ -x "$ZTUNNEL" ] && [ -z "$(find "$root/src" "$root/proto" -newer "$ZTUNNEL" -type f -print -quit)" ]; then
    return
  fi
  echo "publishing the native binary (a minute or two)"
  "$root/src/publish.sh" >"${TMPDIR:-/tmp}/zt-demo-publish.log" 2>&1 ||
    { tail -n 20 "${TMPDIR:-/tmp}/zt-demo-publish.log" >&2; fail "src/publish.sh failed"; }
  tail -n 1 "${TMPDIR:-/tmp}/zt-demo-publish.log"
}

tear_down() {
  topology_down
  rm -rf "$STATE"
}

# Runs at the end whatever the reason: success, a failed step, Ctrl-C.
on_exit() {
  local code=$?
  trap - EXIT INT TERM ERR
  if [ "$keep" = no ]; then
    tear_down
  elif topology_exists; then
    explain_keep
  fi
  exit "$code"
}

explain_keep() {
  printf '\nLeft running. Enter a pod:   ip netns exec %sfront-0 bash    then: curl http://%s/who\n' "$PREFIX" "$VIP"
  printf 'Files and logs:              %s\n' "$STATE"
  printf 'Metrics of a node:           ip netns exec %snode-1 curl http://127.0.0.1:15020/metrics\n' "$PREFIX"
  printf 'Remove everything:           %s/demo.sh down\n' "$here"
}

start_servers() {
  local pod
  for pod in cart-0 cart-1; do
    mkdir -p "$STATE/www-$pod"
    echo "$pod says $marker" >"$STATE/www-$pod/who"
    start_inside "$pod" "$STATE/$pod.http.log" python3 -u -m http.server 8080 --bind :: --directory "$STATE/www-$pod"
    wait_for 10 "the HTTP server of $pod" inside "$pod" curl -sf http://127.0.0.1:8080/who
  done
  start_inside cart-0 "$STATE/iperf3.log" iperf3 -s --forceflush
  wait_for 10 "iperf3" grep -q listening "$STATE/iperf3.log"
}

# ask POD URL: the answer of an unmodified program.
ask() { inside "$1" curl -sS --max-time 5 "$2"; }

show_plaintext() {
  step "Without the mesh: what one request looks like on the bridge"
  capture_start "$STATE/before.pcapng"
  ask front-0 "http://$(address_of cart-0):8080/who?$marker" >/dev/null || fail "front-0 cannot reach cart-0 without the mesh"
  capture_stop
  local seen
  seen=$(occurrences "$marker" "$STATE/before.pcapng")
  [ "$seen" -gt 0 ] || fail "the capture does not show the marker of an unencrypted request: it would not show it later either"
  fact "the marker \"$marker\" is readable $seen times"
  plain_rate=$(gigabits front-0 "$(address_of cart-0)")
  fact "iperf3, 1 stream, unencrypted and without any proxy: $plain_rate Gbit/s"
}

start_mesh() {
  step "The mesh: one native ztunnel and one node agent per node, traffic of the pods redirected into the proxy"
  write_mesh front
  write_pod_list node-1 front-0 guest-0
  write_pod_list node-2 cart-0 cart-1
  local node environment
  [ "$control" = file ] || start_istiod
  for node in node-1 node-2; do
    mapfile -t environment < <(control_environment "$node")
    start_inside "$node" "$STATE/$node.agent.log" "$ZTUNNEL" agent --pods "$STATE/$node.pods.json" --socket "$STATE/$node.sock" --dns-capture false
    start_inside "$node" "$STATE/$node.log" env PROXY_MODE=shared "NODE_NAME=$node" "INPOD_UDS=$STATE/$node.sock" \
      ISTIO_META_DNS_CAPTURE=false "${environment[@]}" "$ZTUNNEL" proxy
    wait_for 15 "ztunnel of $node to be ready" inside "$node" curl -sf http://127.0.0.1:15021/healthz/ready
    # The proxy may be ready a moment before the agent has written its line.
    wait_for 5 "the node agent of $node to hand its pods over" grep -q 'snapshot sent' "$STATE/$node.agent.log"
    fact "$node: ready, process $started, $(awk '/VmRSS/ { printf "%.1f MiB resident", $2 / 1024 }' "/proc/$started/status")"
  done
  fact "redirection installed by the node agents: $(inside front-0 iptables-save -t nat | grep -c -- '-j REDIRECT') REDIRECT rules for IPv4 in each pod's namespace"
}

show_traffic() {
  step "Unmodified programs talk: curl in front-0, python3 -m http.server in cart-0 and cart-1"
  capture_start "$STATE/mesh.pcapng"
  local answer
  answer=$(ask front-0 "http://$(address_of cart-0):8080/who?$marker") || fail "front-0 cannot reach cart-0 by pod IP"
  fact "by pod IP    $(address_of cart-0):8080 -> $answer"
  answer=$(ask front-0 "http://[$(address6_of cart-1)]:8080/who?$marker") || fail "front-0 cannot reach cart-1 by IPv6 pod IP"
  fact "by pod IPv6  [$(address6_of cart-1)]:8080 -> $answer"
  show_service
  capture_stop
  local seen_by_server
  seen_by_server=$(grep -aoE '^[^ ]+ .*GET /who\?' "$STATE/cart-0.http.log" | tail -n 1 | awk '{ print $1 }')
  fact "the server in cart-0 saw the client address ${seen_by_server#::ffff:} (front-0 is $(address_of front-0))"
  [ "${seen_by_server#::ffff:}" = "$(address_of front-0)" ] || fail "the application does not see its client's address"
}

show_service() {
  local request answers=""
  for request in $(seq 1 20); do
    answers+=$(ask front-0 "http://$VIP/who?$marker")$'\n' || fail "request $request to the service address $VIP"
  done
  local first second
  first=$(grep -c '^cart-0' <<<"$answers" || true)
  second=$(grep -c '^cart-1' <<<"$answers" || true)
  fact "by service   $VIP:80, 20 requests -> cart-0 $first times, cart-1 $second times"
  [ $((first + second)) -eq 20 ] || fail "the service did not answer every request"
  if [ "$first" -eq 0 ] || [ "$second" -eq 0 ]; then
    fail "the service did not use both endpoints"
  fi
}

show_wire() {
  step "What crossed the bridge meanwhile"
  local capture=$STATE/mesh.pcapng versions strays readable
  fact "$(packets "$capture" 'tcp.port == 15008') packets to or from port 15008"
  versions=$(tls_versions "$capture")
  [ -n "$versions" ] || fail "no TLS handshake on port 15008 in the capture"
  grep -qv 'TLS 1.3' <<<"$versions" && fail "a handshake that is not TLS 1.3: $versions"
  fact "handshakes: $versions"
  strays=$(packets "$capture" "tcp && !(tcp.port == 15008) && !(tcp.port == $CONTROL_PORT)")
  fact "$strays TCP packets of any other port"
  [ "$strays" -eq 0 ] || fail "application traffic crossed the bridge outside the tunnels"
  readable=$(occurrences "$marker" "$capture")
  fact "the marker is readable $readable times"
  [ "$readable" -eq 0 ] || fail "the marker crossed the bridge in plaintext"
}

show_logs() {
  step "Who talked to whom, from the access logs of both ends"
  local to_cart client server
  to_cart="dst.hbone_addr=$(address_of cart-0):8080"
  wait_for 10 "the access log line of node-1" access_lines node-1 "$to_cart"
  wait_for 10 "the access log line of node-2" access_lines node-2 "$to_cart"
  client=$(access_lines node-1 "$to_cart" | sed -n 1p)
  server=$(access_lines node-2 "$to_cart" | sed -n 1p)
  fact "node-1: $client"
  fact "node-2: $server"
  local line
  for line in "$client" "$server"; do
    [ "$(field src.identity <<<"$line")" = spiffe://cluster.local/ns/shop/sa/front ] || fail "the source identity is missing or wrong in: $line"
    [ "$(field dst.identity <<<"$line")" = spiffe://cluster.local/ns/shop/sa/cart ] || fail "the destination identity is missing or wrong in: $line"
  done
  fact "identities on both sides: $(field src.identity <<<"$server") -> $(field dst.identity <<<"$server")"
}

show_metrics() {
  step "Metrics of node-1 and node-2 (port 15020)"
  local node name sum
  for node in node-1 node-2; do
    for name in istio_tcp_connections_opened_total istio_tcp_connections_closed_total istio_tcp_received_bytes_total istio_tcp_sent_bytes_total; do
      sum=$(metrics_of "$node" | awk -v name="$name" 'index($0, name "{") == 1 { sum += $NF } END { print sum + 0 }')
      [ "$sum" -gt 0 ] || fail "$name of $node is zero"
      fact "$node $name: $sum over $(metrics_of "$node" | grep -c "^$name{") series"
    done
  done
  fact "one series: $(metrics_of node-2 | grep '^istio_tcp_connections_opened_total{' | sed -n 1p)"
}

show_policy() {
  step "A policy: only service account front may call cart"
  local url complaint refusal
  url="http://$(address_of cart-1):8080/who"
  if complaint=$(ask guest-0 "$url" 2>&1); then
    fail "guest-0 was let through: $complaint"
  fi
  fact "guest-0 -> $complaint"
  wait_for 10 "the refusal in the log of node-2" access_lines node-2 'policy rejection'
  refusal=$(access_lines node-2 'policy rejection' | sed -n 1p)
  fact "node-2: $(field src.identity <<<"$refusal") $(grep -oE 'error=.*' <<<"$refusal")"
  write_mesh front guest
  wait_for 10 "guest-0 to be accepted after the policy file changed" ask guest-0 "$url"
  fact "policy file changed to allow guest too; guest-0 -> $(ask guest-0 "$url")"
}

show_throughput() {
  step "Throughput, front-0 to cart-0 through both ztunnels ($(nproc) cores for everything, congestion control $(inside front-0 sysctl -n net.ipv4.tcp_congestion_control))"
  local rate
  rate=$(gigabits front-0 "$(address_of cart-0)")
  fact "iperf3, 1 stream:            $rate Gbit/s (without mesh: $plain_rate)"
  rate=$(gigabits front-0 "$(address_of cart-0)" -R)
  fact "iperf3, 1 stream, download:  $rate Gbit/s"
  rate=$(gigabits front-0 "$(address_of cart-0)" -P 8)
  fact "iperf3, 8 streams:           $rate Gbit/s"
}

main() {
  local argument down=no
  for argument in "$@"; do
    case "$argument" in
      --keep) keep=yes ;;
      --xds) control='xds' ;;
      down) down=yes ;;
      *)
        echo "usage: demo.sh [--xds] [--keep] | down" >&2
        exit 2
        ;;
    esac
  done
  if [ "$down" = no ]; then
    install_packages || fail "packages are missing"
    publish_binary
    [ "$control" = file ] || build_istiod
  fi
  # Building needs no privilege, namespaces do.
  [ "$(id -u)" -eq 0 ] || exec sudo -E env "PATH=$PATH" "${BASH_SOURCE[0]}" "$@"
  # Held by this script alone: what --keep leaves running does not inherit it.
  exec 9>/run/zt-demo.lock
  flock -n 9 || fail "another demo is running on this machine"
  if [ "$down" = yes ]; then
    tear_down
    echo "removed"
    return
  fi

  trap on_exit EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
  trap 'fail "line $LINENO: $BASH_COMMAND"' ERR
  tear_down
  mkdir -p "$STATE"
  topology_up
  start_servers
  show_plaintext
  start_mesh
  show_traffic
  show_wire
  show_logs
  show_metrics
  show_policy
  [ "$control" = file ] || show_rotation
  show_throughput
  printf '\nAll %d steps measured what they should.\n' "$steps"
}

main "$@"
