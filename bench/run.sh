#!/usr/bin/env bash
# The end-to-end bench: builds the native programs, installs the peers, and measures all subjects in network namespaces. bench/README.md says how and what.
#   bench/run.sh [--quick] [--debian13] [--subjects a,b] [--scenarios x,y] [--repetitions N] [--congestion NAME]
#   bench/run.sh --allocations      only the check that what allocates nothing still allocates nothing
#   bench/run.sh --scale            only what a mesh of 100,000 and of 1,000,000 workloads costs
#   bench/run.sh --clean            removes namespaces that a killed run left behind
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
readonly BENCH=$PWD/artifacts/bench-native/ztunnel-bench
readonly CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/ztunnel-bench
readonly DEBIAN13=$CACHE/trixie
readonly COMMAND="bench/run.sh $*"
export DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1 MSBUILDDISABLENODEREUSE=1

fail() { echo "bench/run.sh: $*" >&2; exit 1; }

need_root() {
  [ "$(id -u)" -eq 0 ] || fail "network namespaces need root: sudo -E $0 ..."
}

# Package and a file that it brings.
install_missing() {
  local package file missing=()
  while read -r package file; do
    [ -e "$file" ] || missing+=("$package")
  done <<'PACKAGES'
iproute2            /usr/sbin/ip
iptables            /usr/sbin/iptables
procps              /usr/sbin/sysctl
openssl             /usr/bin/openssl
nginx-light         /usr/sbin/nginx
libnginx-mod-stream /usr/lib/nginx/modules/ngx_stream_module.so
haproxy             /usr/sbin/haproxy
PACKAGES
  [ "${#missing[@]}" -eq 0 ] && return
  echo "installing ${missing[*]}" >&2
  apt-get update -qq
  # Only their programs are wanted: the services that the packages would start could take ports, and do take memory.
  DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

make_debian13() {
  [ -d "$DEBIAN13" ] && return
  command -v debootstrap >/dev/null || DEBIAN_FRONTEND=noninteractive apt-get install -y -qq debootstrap >/dev/null
  mkdir -p "$CACHE"
  rm -rf "$DEBIAN13.part"
  echo "making a Debian 13 root in $DEBIAN13 (two minutes, once)" >&2
  debootstrap --variant=minbase --include=libssl3t64,openssl,ca-certificates,nginx-core,libnginx-mod-stream,haproxy trixie "$DEBIAN13.part" >"$CACHE/debootstrap.log" 2>&1 \
    || fail "debootstrap failed; the log is $CACHE/debootstrap.log"
  mv "$DEBIAN13.part" "$DEBIAN13"
}

# Up to date already when nothing changed: publish compares.
publish_bench() {
  local framework runtime linker=()
  runtime=linux-$(uname -m | sed 's/x86_64/x64/; s/aarch64/arm64/')
  framework=net10.0
  dotnet restore bench/Ztunnel.LoadBench --verbosity quiet -r "$runtime" -p:ZtunnelTargetFramework=net10.0 -p:ZtunnelNative=true >/dev/null 2>&1 || framework=net9.0
  command -v clang >/dev/null || linker=(-p:CppCompilerAndLinker=gcc)
  dotnet publish bench/Ztunnel.LoadBench --configuration Release --verbosity quiet --nologo -m:1 -r "$runtime" \
    -p:ZtunnelTargetFramework="$framework" -p:ZtunnelNative=true "${linker[@]}" --output "$(dirname "$BENCH")"
}

revision() {
  echo "$(git rev-parse --short HEAD)$([ -z "$(git status --porcelain -- src bench)" ] || echo ' with local changes')"
}

# In a session of its own, so that the kernel schedules it as one group (autogroup), and Ctrl-C reaches this script only, which then asks for an orderly end.
# BENCH_NICE=-15 puts everything that is measured, all subjects alike, before what else runs on a machine that is not quiet.
run_apart() {
  # shellcheck disable=SC2016  # the inner shell expands
  setsid sh -c 'n=$1; shift; [ "$n" = 0 ] || echo "$n" >/proc/self/autogroup; exec nice -n "$n" "$@"' sh "${BENCH_NICE:-0}" "$@" &
  local bench=$! code=0
  trap 'kill -TERM "$bench" 2>/dev/null || true' INT TERM
  wait "$bench" || code=$?
  # A signal ends the first wait; the second sees the namespaces removed.
  wait "$bench" 2>/dev/null || code=$?
  return "$code"
}

main() {
  local options=() with_root=() subjects=""
  while [ $# -gt 0 ]; do
    case "$1" in
      --allocations) exec dotnet run --project bench/Ztunnel.Microbenchmarks --configuration Release -- --allocations bench/baselines/allocations.json ;;
      --scale)
        dotnet build bench/Ztunnel.Microbenchmarks --configuration Release --verbosity quiet --nologo -m:1
        for size in 100000 1000000; do
          dotnet run --project bench/Ztunnel.Microbenchmarks --configuration Release --no-build -- --scale "$size"
          echo
        done
        exit ;;
      --clean) need_root; publish_bench; exec "$BENCH" clean ;;
      --debian13) need_root; make_debian13; with_root=(--root "$DEBIAN13"); shift ;;
      --quick) options+=(--quick); shift ;;
      --subjects | --scenarios | --repetitions | --congestion)
        [ $# -ge 2 ] || fail "$1: expected a value"
        [ "$1" != --subjects ] || subjects=$2
        options+=("$1" "$2")
        shift 2 ;;
      *) fail "$1: no such option; the first lines of this file list them" ;;
    esac
  done

  need_root
  install_missing
  publish_bench
  case ",$subjects," in
    ,, | *,ztunnel*) src/publish.sh ;;
  esac
  # 10,000 connections need 20,000 descriptors in a proxy; where the limit cannot be raised the bench scales and says so.
  ulimit -n 1048576 2>/dev/null || ulimit -n "$(ulimit -Hn)"
  run_apart "$BENCH" run "${options[@]}" "${with_root[@]}" --ztunnel "$PWD/artifacts/native/ztunnel" --output "$PWD/bench/results" \
    --commit "$(revision)" --command "$COMMAND"
}

main "$@"
