#!/usr/bin/env bash
# The stages of the Dockerfile on a machine without a container engine, then what the image is for: it starts, and it carries traffic.
#   deploy/image/test.sh
# Needs root, debootstrap, artifacts/native/ztunnel (src/publish.sh) and the built Ztunnel.Namespace.Tests. Everything it makes is under artifacts/image; the Debian 13 root stays for the next run.
set -Eeuo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
readonly WORK=$PWD/artifacts/image
readonly BINARY=${ZTUNNEL_BINARY:-$PWD/artifacts/native/ztunnel}
readonly TESTS=artifacts/net10.0/bin/Ztunnel.Namespace.Tests/debug/Ztunnel.Namespace.Tests.dll
readonly NAMESPACE=zt-image
root=$WORK/root
home=""
process=""
resident="" busy=""
deadline=0

fail() {
  echo "test.sh: $*" >&2
  [ -z "$home" ] || [ ! -s "$home/log" ] || tail -n 15 "$home/log" >&2
  exit 1
}

clean_up() {
  [ -z "$process" ] || kill -KILL "$process" 2>/dev/null || true
  ip netns delete "$NAMESPACE" 2>/dev/null || true
  [ -z "$home" ] || rm -rf "$home"
}

make_root() {
  local base=$WORK/debian13
  deploy/image/debian13.sh "$base"
  rm -rf "$base/rootfs" "$root"
  cp deploy/image/userland.sh "$base/userland.sh"
  # apt and dpkg only look; nothing is mounted.
  chroot "$base" /bin/bash /userland.sh /rootfs >"$WORK/userland.log" 2>&1 ||
    { tail -n 15 "$WORK/userland.log" >&2; fail "userland.sh failed"; }
  mv "$base/rootfs" "$root"
  deploy/image/assemble.sh "$root" "$BINARY"
}

still_waiting() { [ -e "/proc/$process" ] && [ "$SECONDS" -lt "$deadline" ]; }

# Three starts; the middle one counts.
measure_start() {
  home=$(mktemp -d /tmp/zt-image.XXXXXX)
  printf 'workloads:\n- {uid: a, name: web, namespace: default, serviceAccount: web, trustDomain: cluster.local, node: node-1, protocol: HBONE, workloadIps: ["10.0.0.1"], services: {}}\n' >"$home/mesh.yaml"
  ip netns delete "$NAMESPACE" 2>/dev/null || true
  ip netns add "$NAMESPACE"
  ip netns exec "$NAMESPACE" ip link set lo up
  local times=() middle
  for _ in 1 2 3; do
    start_and_stop
  done
  middle=$(printf '%s\n' "${times[@]}" | sort -n | sed -n 2p)
  echo "image: listening after $middle ms (aim 50; three starts: ${times[*]}; processor time $busy ms), $resident MiB resident when ready (aim 30)"
  echo "image: read-only root, gid 1337, NET_ADMIN + NET_RAW + SYS_ADMIN only, OpenSSL from the image"
}

# Adds to $times the milliseconds from the process becoming ztunnel to its readiness port listening; leaves in $resident what it holds once it is ready. Only the shell's own commands run meanwhile.
start_and_stop() {
  local started bound name="" sockets
  nsenter "--net=/run/netns/$NAMESPACE" env PROXY_MODE=dedicated PROXY_WORKLOAD_INFO=default/web/web NODE_NAME=node-1 XDS_ADDRESS= "LOCAL_XDS_PATH=$home/mesh.yaml" \
    ISTIO_META_DNS_CAPTURE=false FAKE_CA=true "ZTUNNEL_FAKE_CA_ROOT=$home/root.pem" "ZTUNNEL_IMAGE_ROOT=$root" deploy/image/enter.sh proxy ztunnel >"$home/log" 2>&1 &
  process=$!
  deadline=$((SECONDS + 10))
  # What enter.sh does is not ztunnel's start.
  until [ "$name" = ztunnel ]; do
    still_waiting || fail "ztunnel did not start in the image's root"
    read -r name <"/proc/$process/comm" || fail "ztunnel did not start in the image's root"
  done
  started=${EPOCHREALTIME/./}
  # 15021 is 3AAD; 0A is LISTEN.
  until [[ ${sockets:-} =~ :3AAD\ [0-9A-F:]+\ 0A ]]; do
    still_waiting || fail "ztunnel does not listen"
    sockets=$(<"/proc/$process/net/tcp")$(<"/proc/$process/net/tcp6")
  done
  bound=${EPOCHREALTIME/./}
  # Beside other work the clock says little: the processor time of all threads is what the start costs.
  busy=$(cat "/proc/$process"/task/*/schedstat | awk '{ sum += $1 } END { printf "%.0f", sum / 1000000 }')
  times+=($(((bound - started) / 1000)))
  until ip netns exec "$NAMESPACE" curl -sf -m 1 http://127.0.0.1:15021/healthz/ready >/dev/null; do
    still_waiting || fail "ztunnel does not become ready"
  done
  resident=$(awk '/^VmRSS/ { printf "%.1f", $2 / 1024 }' "/proc/$process/status")
  check_rights
  kill -TERM "$process"
  wait "$process" || fail "ztunnel ended with code $? after SIGTERM"
  process=""
}

check_rights() {
  local status=/proc/$process/status
  # 0x203000: NET_ADMIN, NET_RAW, SYS_ADMIN.
  [ "$(awk '/^CapBnd/ { print $2 }' "$status")" = 0000000000203000 ] || fail "other capabilities than those of the contract: $(grep ^Cap "$status" | tr '\n' ' ')"
  [ "$(awk '/^Gid/ { print $2 }' "$status")" = 1337 ] || fail "not group 1337"
  awk '$5 == "/" { print $6 }' "/proc/$process/mountinfo" | grep -qE '(^|,)ro(,|$)' || fail "the root file system is not read-only"
  grep -q 'libcrypto\.so\.3$' "/proc/$process/maps" || fail "ztunnel runs without OpenSSL"
}

# Two nodes, their ztunnels inside the image's root, real programs in captured pods.
carry_traffic() {
  local log=$WORK/traffic.log
  ZTUNNEL_BINARY=$PWD/deploy/image/enter.sh ZTUNNEL_OUTSIDE=$BINARY ZTUNNEL_IMAGE_ROOT=$root \
    timeout 120 dotnet test "$TESTS" --filter "FullyQualifiedName~CapturedTrafficTests" >"$log" 2>&1 ||
    { tail -n 40 "$log" >&2; fail "traffic tests failed inside the image's root"; }
  grep -qE 'Failed: +0, Passed: +[1-9]' "$log" || { tail -n 5 "$log" >&2; fail "no traffic test ran"; }
  echo "image: traffic $(grep -oE 'Failed: +[0-9]+, Passed: +[0-9]+, Skipped: +[0-9]+' "$log" | tr -s ' ')"
}

[ "$(id -u)" -eq 0 ] || fail "needs root (network namespaces, chroot)"
[ -x "$BINARY" ] || fail "no binary $BINARY: run src/publish.sh"
[ -e "$TESTS" ] || fail "no $TESTS: run dotnet build tests/Ztunnel.Namespace.Tests"
command -v debootstrap >/dev/null || fail "debootstrap is missing: apt-get install debootstrap debian-archive-keyring"
mkdir -p "$WORK"
trap clean_up EXIT
trap 'fail "line $LINENO: $BASH_COMMAND"' ERR
make_root
measure_start
carry_traffic
