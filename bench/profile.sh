#!/usr/bin/env bash
# Where does the CPU of one scenario go? Samples both proxies with perf and counts their system calls; prints markdown for bench/profiles/DATE.md. bench/README.md says how to read it.
#   bench/profile.sh SCENARIO[,SCENARIO...] [--debian13] [--subject NAME]
# Any scenario that keeps its proxies (up-1, echo-64, connect, beside, ...); any subject of bench/run.sh, ztunnel by default.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=common.sh
. bench/common.sh

case "${1:-}" in
  '' | --*) fail "which scenario? bench/profile.sh up-1,echo-64" ;;
esac
command="bench/profile.sh $*"
scenarios=$1 subject=ztunnel with_root=()
shift
while [ $# -gt 0 ]; do
  case "$1" in
    --debian13) need_root; make_debian13; with_root=(--root "$DEBIAN13"); shift ;;
    --subject) [ $# -ge 2 ] || fail "--subject: expected a value"; subject=$2; shift 2 ;;
    *) fail "$1: no such option" ;;
  esac
done

need_root
install_missing <<'PACKAGES'
linux-perf   /usr/bin/perf
iproute2     /usr/sbin/ip
iptables     /usr/sbin/iptables
procps       /usr/sbin/sysctl
openssl      /usr/bin/openssl
PACKAGES
publish_bench >&2
[ "${subject#ztunnel}" = "$subject" ] || src/publish.sh >&2
raise_descriptor_limit
"$BENCH" profile --subjects "$subject" --scenarios "$scenarios" "${with_root[@]}" --ztunnel "$PWD/artifacts/native/ztunnel" --output "$PWD/bench/results" --commit "$(revision)" --command "$command"
