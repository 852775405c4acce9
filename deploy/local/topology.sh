# shellcheck shell=bash
# The machine of the demo: network namespaces on one bridge. Everything it starts runs inside one of them, so that "which processes are ours" has one answer.
#
#   node-1 10.201.1.254   node-2 10.201.2.254      a ztunnel each
#   front-0 10.201.1.1    cart-0 10.201.2.1        pods; the same with fd00:201::
#   guest-0 10.201.1.2    cart-1 10.201.2.2
#        \________ br0 in net _______/

readonly PREFIX=zt-demo-
readonly MEMBERS="node-1 node-2 front-0 guest-0 cart-0 cart-1"
# shellcheck disable=SC2034 # for demo.sh
readonly PODS="front-0 guest-0 cart-0 cart-1"

address_of() {
  case "$1" in
    front-0) echo 10.201.1.1 ;;
    guest-0) echo 10.201.1.2 ;;
    node-1) echo 10.201.1.254 ;;
    cart-0) echo 10.201.2.1 ;;
    cart-1) echo 10.201.2.2 ;;
    node-2) echo 10.201.2.254 ;;
  esac
}

# 10.201.2.1 becomes fd00:201::2:1.
address6_of() { address_of "$1" | sed -E 's/^10\.201\.([0-9]+)\.([0-9]+)$/fd00:201::\1:\2/'; }

netns_of() { echo "/run/netns/$PREFIX$1"; }

inside() {
  local member=$1
  shift
  ip netns exec "$PREFIX$member" "$@"
}

# start_inside MEMBER LOG COMMAND...: runs on after this script; its process id is left in $started.
start_inside() {
  local member=$1 log=$2
  shift 2
  setsid nsenter "--net=$(netns_of "$member")" "$@" >"$log" 2>&1 </dev/null 9>&- &
  # shellcheck disable=SC2034 # for the caller
  started=$!
}

topology_exists() { ip netns list | grep -c "^$PREFIX" >/dev/null; }

topology_up() {
  ip netns add "${PREFIX}net"
  inside net ip link set lo up
  # A fixed address: else it is the lowest of its ports and changes as they come.
  inside net ip link add br0 address 02:00:00:00:00:01 type bridge
  inside net ip address add 10.201.0.254/16 dev br0
  inside net ip address add fd00:201::fe/64 dev br0 nodad
  inside net ip link set br0 up
  local member
  for member in $MEMBERS; do
    add_member "$member"
  done
}

add_member() {
  local member=$1
  ip netns add "$PREFIX$member"
  inside "$member" ip link set lo up
  # The same on every machine, whatever its default: throughput is not comparable otherwise.
  inside "$member" sysctl -qw net.ipv4.tcp_congestion_control=cubic 2>/dev/null || true
  ip link add eth0 netns "$PREFIX$member" type veth peer name "v-$member" netns "${PREFIX}net"
  inside net ip link set "v-$member" master br0 up
  inside "$member" ip address add "$(address_of "$member")/16" dev eth0
  inside "$member" ip address add "$(address6_of "$member")/64" dev eth0 nodad
  inside "$member" ip link set eth0 up
  # Services exist only as addresses that are captured; a route must lead them out of the pod all the same.
  inside "$member" ip route add default via 10.201.0.254
  inside "$member" ip -6 route add default via fd00:201::fe
}

# Ends every process in the demo's namespaces, then removes those. Fine to call when there is nothing.
topology_down() {
  local namespaces namespace
  mapfile -t namespaces < <(ip netns list | awk -v prefix="$PREFIX" 'index($1, prefix) == 1 { print $1 }')
  for namespace in "${namespaces[@]}"; do
    end_processes "$namespace"
    ip netns delete "$namespace"
  done
}

end_processes() {
  local namespace=$1 pids deadline
  pids=$(ip netns pids "$namespace")
  [ -n "$pids" ] || return 0
  # shellcheck disable=SC2086 # one argument each
  kill $pids 2>/dev/null || true
  deadline=$((SECONDS + 5))
  while [ "$SECONDS" -lt "$deadline" ]; do
    pids=$(ip netns pids "$namespace")
    [ -n "$pids" ] || return 0
    sleep 0.1
  done
  # shellcheck disable=SC2086
  kill -KILL $pids 2>/dev/null || true
}
