# shellcheck shell=bash
# How the demo finds out: captures, log lines, metrics, throughput. Every function prints what it measured or fails; none of them assumes.

# wait_for SECONDS WHAT COMMAND...
wait_for() {
  local what=$2 deadline=$((SECONDS + $1))
  shift 2
  until "$@" >/dev/null 2>&1; do
    [ "$SECONDS" -lt "$deadline" ] || fail "waited in vain for $what"
    sleep 0.1
  done
}

# capture_start FILE: everything that crosses the bridge, from this moment on.
capture_start() {
  capture_file=$1
  start_inside net "$capture_file.log" tshark -q -i br0 -w "$capture_file"
  # shellcheck disable=SC2154 # start_inside sets it
  capture_pid=$started
  wait_for 10 "the capture to begin" test -s "$capture_file"
}

capture_stop() {
  # What is on its way through the capture's buffer belongs to it.
  sleep 0.5
  kill -INT "$capture_pid"
  wait "$capture_pid" || true
}

# packets FILE FILTER: how many frames of the capture match.
packets() { tshark -r "$1" -d tcp.port==15008,tls -Y "$2" 2>/dev/null | wc -l; }

# occurrences TEXT FILE: in the raw bytes, wherever they are.
occurrences() { { grep -a -o -F "$1" "$2" || true; } | wc -l; }

tls_versions() {
  tshark -r "$1" -d tcp.port==15008,tls -Y 'tls.handshake.type == 2' -T fields -e tls.handshake.extensions.supported_version -e tls.handshake.ciphersuite 2>/dev/null |
    sort | uniq -c | sed -E 's/^ *([0-9]+)\t?/\1 /; s/0x0304/TLS 1.3/; s/0x1301/TLS_AES_128_GCM_SHA256/; s/0x1302/TLS_AES_256_GCM_SHA384/; s/\t/, /g'
}

# access_lines NODE PATTERN: finished connections in the log of one ztunnel.
access_lines() { grep -E 'access.*connection complete' "$STATE/$1.log" | grep -E "$2"; }

# field NAME < line
field() { sed -nE "s/.*[[:space:]]$1=\"?([^\" ]+)\"?.*/\1/p"; }

metrics_of() { inside "$1" curl -sSf --max-time 5 http://127.0.0.1:15020/metrics; }

# gigabits FROM ADDRESS OPTION...: what the receiver got, in Gbit/s.
gigabits() {
  local from=$1 to=$2 report
  shift 2
  report=$(inside "$from" iperf3 -c "$to" -t "$IPERF_SECONDS" -f g "$@" 2>&1) || fail "iperf3 from $from to $to: $(tail -n 3 <<<"$report")"
  awk '/receiver/ { for (i = 1; i <= NF; i++) if ($i == "Gbits/sec") rate = $(i - 1) } END { print rate }' <<<"$report"
}
