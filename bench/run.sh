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
# shellcheck source=common.sh
. bench/common.sh
readonly COMMAND="bench/run.sh $*"

needed_packages() {
  cat <<'PACKAGES'
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

# What has programs of its own: pods, loops, DNS. Their budget lines go to the file.
measure_elsewhere() {
  bench/pods.py --tsv "$1" || fail "bench/pods.py failed"
  bench/loops.sh --tsv "$1" || fail "bench/loops.sh failed"
  bench/dns.sh 3 "$1" || fail "bench/dns.sh failed"
}

# The microbenchmarks twice: with BenchmarkDotNet in the JIT, and natively by the program's own loop, since BenchmarkDotNet does not run in a program compiled ahead of time.
micro() {
  dotnet run --project bench/Ztunnel.Microbenchmarks --configuration Release -- --filter '*' --artifacts bench/results/micro
  publish_native bench/Ztunnel.Microbenchmarks artifacts/micro-native
  artifacts/micro-native/Ztunnel.Microbenchmarks --brief
}

main() {
  local options=() with_root=() subjects="" everything=yes elsewhere=""
  while [ $# -gt 0 ]; do
    case "$1" in
      --allocations) exec dotnet run --project bench/Ztunnel.Microbenchmarks --configuration Release -- --allocations bench/baselines/allocations.json ;;
      --scale)
        publish_native bench/Ztunnel.Microbenchmarks artifacts/micro-native
        # The collector as in the product; the other benchmarks do without, so that their allocations repeat.
        for size in 100000 1000000; do
          DOTNET_gcConcurrent=1 artifacts/micro-native/Ztunnel.Microbenchmarks --scale "$size"
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
  needed_packages | install_missing
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
