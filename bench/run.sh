#!/usr/bin/env bash
# The end-to-end bench: builds the native programs, installs the peers, and measures all subjects in network namespaces. bench/README.md says how and what.
#   bench/run.sh [--quick] [--debian13] [--subjects a,b] [--scenarios x,y] [--repetitions N] [--congestion NAME]
#     --quick       under three minutes, the main subjects, what the budgets ask; otherwise everything, under half an hour, with bench/pods.py, bench/loops.sh and bench/dns.sh
#     --debian13    every subject inside a Debian 13 root (OpenSSL 3.5, what the image ships) instead of this machine's user land; without the three other programs
#   bench/run.sh --micro            every microbenchmark with BenchmarkDotNet (JIT), then compiled ahead of time
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
stunnel4            /usr/bin/stunnel4
iperf3              /usr/bin/iperf3
curl                /usr/bin/curl
python3             /usr/bin/python3
dnsperf             /usr/bin/dnsperf
unbound             /usr/sbin/unbound
dnsmasq-base        /usr/sbin/dnsmasq
dnsutils            /usr/bin/dig
PACKAGES
  [ "${#missing[@]}" -eq 0 ] && return
  echo "installing ${missing[*]}" >&2
  apt-get update -qq
  # Only their programs are wanted: the services that the packages would start could take ports, and do take memory.
  DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

make_debian13() {
  [ -x "$DEBIAN13/usr/bin/stunnel4" ] && return
  command -v debootstrap >/dev/null || DEBIAN_FRONTEND=noninteractive apt-get install -y -qq debootstrap >/dev/null
  mkdir -p "$CACHE"
  rm -rf "$DEBIAN13.part"
  echo "making a Debian 13 root in $DEBIAN13 (two minutes, once)" >&2
  debootstrap --variant=minbase --include=libssl3t64,openssl,ca-certificates,nginx-core,libnginx-mod-stream,haproxy,stunnel4 trixie "$DEBIAN13.part" >"$CACHE/debootstrap.log" 2>&1 \
    || fail "debootstrap failed; the log is $CACHE/debootstrap.log"
  rm -rf --one-file-system "$DEBIAN13"
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

# 50,000 connections need 100,000 descriptors in each proxy. Root may raise the hard limit where it has CAP_SYS_RESOURCE; where not, the bench takes what there is and says so.
raise_descriptor_limit() {
  prlimit --pid $$ --nofile=1048576:1048576 2>/dev/null || ulimit -n "$(ulimit -Hn)"
}

# What has programs of its own: pods, loops, DNS. Their budget lines go to the file.
measure_elsewhere() {
  bench/pods.py --tsv "$1" || fail "bench/pods.py failed"
  bench/loops.sh --tsv "$1" || fail "bench/loops.sh failed"
  bench/dns.sh 3 "$1" || fail "bench/dns.sh failed"
}

main() {
  local options=() with_root=() subjects="" everything=yes elsewhere=""
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
      --micro) micro; exit ;;
      --debian13) need_root; make_debian13; with_root=(--root "$DEBIAN13") everything=no; shift ;;
      --quick) options+=(--quick) everything=no; shift ;;
      --subjects | --scenarios | --repetitions | --congestion)
        [ $# -ge 2 ] || fail "$1: expected a value"
        [ "$1" != --subjects ] || subjects=$2
        options+=("$1" "$2")
        everything=no
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
  raise_descriptor_limit
  if [ "$everything" = yes ]; then
    elsewhere=$(mktemp)
    # shellcheck disable=SC2064 # the name, now
    trap "rm -f '$elsewhere'" EXIT
    measure_elsewhere "$elsewhere"
    options+=(--elsewhere "$elsewhere")
  fi
  run_apart "$BENCH" run "${options[@]}" "${with_root[@]}" --ztunnel "$PWD/artifacts/native/ztunnel" --output "$PWD/bench/results" \
    --commit "$(revision)" --command "$COMMAND"
}

main "$@"
