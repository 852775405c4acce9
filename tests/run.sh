#!/usr/bin/env bash
# Builds, checks and tests everything on a Debian or Ubuntu machine with the .NET SDK and git; installs the Debian packages that are missing.
# The last line is "N passed, N failed, N skipped", summed over every runner; a build, format or publish that fails counts as one failure.
# Exit code 0 only when something ran and nothing failed. Logs: artifacts/test-logs. tests/README.md says more.
set -uo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
readonly LOGS=artifacts/test-logs
# One test project may take this long; the slowest needs two minutes on two cores, a hang must not eat the whole run.
readonly PROJECT_SECONDS=420
export DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_SKIP_FIRST_TIME_EXPERIENCE=1 MSBUILDDISABLENODEREUSE=1
# One warm compiler for all projects: without it the analyzers are compiled anew thirty times, and the build takes three times as long. run.sh ends it.
export UseSharedCompilation=true
# Absolute: test processes run in folders of their own.
ZTUNNEL_BINARY=$PWD/artifacts/native/ztunnel
export ZTUNNEL_BINARY
# shellcheck source=../deploy/local/packages.sh
. deploy/local/packages.sh

passed=0 failed=0 skipped=0
# What failed, told once more at the end: whoever sees only that knows where to look.
failures=()

# Package and the program it brings.
needed_packages() {
  cat <<'PACKAGES'
clang               clang
zlib1g-dev          -
libssl3             -
openssl             openssl
iproute2            ip
iptables            iptables-restore
nftables            nft
util-linux          nsenter
procps              sysctl
curl                curl
python3             /usr/bin/python3
python3-h2          -
nghttp2-client      nghttp
nghttp2-proxy       nghttpx
nghttp2-server      nghttpd
dnsutils            dig
dnsmasq-base        dnsmasq
conntrack           conntrack
faketime            faketime
iperf3              iperf3
tshark              tshark
musl-tools          musl-gcc
prometheus          promtool
debootstrap         debootstrap
debian-archive-keyring -
kubernetes-client   kubectl
shellcheck          shellcheck
PACKAGES
}

exec 3>&1
# Also from inside a step, whose own output goes to its log.
say() { printf '== %s\n' "$*" >&3; }

# step NAME COMMAND...: quiet while it works; a failure shows the end of its log and counts as one failed check.
step() {
  local name=$1 log
  shift
  log=$LOGS/${name// /-}.log
  say "$name"
  if "$@" >"$log" 2>&1 </dev/null; then
    return 0
  fi
  failed=$((failed + 1))
  failures+=("$name" "$(grep -E '^FAILED|error' "$log" | head -n 5 | cut -c -300)")
  echo "run.sh: $name failed; the end of $log:" >&2
  tail -n 30 "$log" >&2
  return 1
}

check_scripts() {
  local script scripts=()
  while read -r script; do
    scripts+=("$script")
  done < <(git ls-files '*.sh' .ci/run)
  shellcheck --external-sources --source-path=SCRIPTDIR "${scripts[@]}"
}

# Sums the summary line of a test run ("Failed: 0, Passed: 12, Skipped: 1, Total: 13") from its log; fails where there is none.
count_results() {
  local log=$1 summary
  summary=$(grep -oE 'Failed: +[0-9]+, Passed: +[0-9]+, Skipped: +[0-9]+' "$log") || return 1
  local lost won left
  while read -r _ lost _ won _ left; do
    failed=$((failed + ${lost%,}))
    passed=$((passed + ${won%,}))
    skipped=$((skipped + left))
  done <<<"$summary"
}

# The tests that need namespaces run as root where the rest of the machine allows it; the others as whoever calls.
run_as_needed() {
  local project=$1
  shift
  if [ "$(id -u)" -ne 0 ] && grep -rqE 'NamespaceFact|NamespaceTheory' "tests/$project" && sudo -n true 2>/dev/null; then
    sudo -n -E env "PATH=$PATH" "$@"
  else
    "$@"
  fi
}

run_project() {
  local project=$1 log=$LOGS/$1.log started=$SECONDS before=$failed code=0
  run_as_needed "$project" timeout --kill-after=10 "$PROJECT_SECONDS" \
    dotnet test "artifacts/net10.0/bin/$project/debug/$project.dll" >"$log" 2>&1 </dev/null || code=$?
  if ! count_results "$log"; then
    if grep -q 'No test is available' "$log"; then
      say "$project: no tests"
      return
    fi
    failed=$((failed + 1))
    failures+=("$project: ended with code $code and no result")
    echo "run.sh: $project ended with code $code and no result; the end of $log:" >&2
    tail -n 30 "$log" >&2
    return
  fi
  if [ "$failed" -gt "$before" ]; then
    grep -E -A 12 '^ +Failed ' "$log" | head -n 120 >&2
    failures+=("$project:" "$(grep -E -A 4 '^ +Failed ' "$log" | cut -c -300 | head -n 40)")
  elif [ "$code" -ne 0 ]; then
    failed=$((failed + 1))
    failures+=("$project: ended with code $code")
    echo "run.sh: $project ended with code $code; the end of $log:" >&2
    tail -n 30 "$log" >&2
  fi
  say "$project: $(grep -oE 'Failed: +[0-9]+, Passed: +[0-9]+, Skipped: +[0-9]+' "$log" | tr -s ' ' | tail -n 1), $((SECONDS - started)) s"
}

run_everything() {
  say "packages"
  needed_packages | install_missing "$LOGS/apt.log" || failed=$((failed + 1))
  if command -v shellcheck >/dev/null; then
    step "shell scripts" check_scripts || true
  fi
  step "build" dotnet build Ztunnel.sln --verbosity quiet -nodeReuse:false || return
  step "format" dotnet format Ztunnel.sln --verify-no-changes --no-restore || true
  step "publish" src/publish.sh || true
  local project
  for project in tests/*.Tests/; do
    run_project "$(basename "$project")"
  done
  # Counts as one test; bench/README.md says what it compares.
  if step "allocations" dotnet artifacts/net10.0/bin/Ztunnel.Microbenchmarks/debug/Ztunnel.Microbenchmarks.dll --allocations bench/baselines/allocations.json; then
    passed=$((passed + 1))
  fi
  run_script "image" deploy/image/test.sh
  run_script "demo" deploy/local/demo.sh
  run_script "demo with a control plane" deploy/local/demo.sh --xds
  run_script "endurance" tests/endurance.sh 0.15
}

# run_script NAME COMMAND...: a script that measures and fails by itself counts as one test. It runs as root.
run_script() {
  local name=$1 started=$SECONDS as=()
  shift
  if [ "$(id -u)" -ne 0 ]; then
    if ! sudo -n true 2>/dev/null; then
      skipped=$((skipped + 1))
      say "$name: skipped, needs root"
      return
    fi
    as=(sudo -n -E env "PATH=$PATH")
  fi
  if step "$name" "${as[@]}" "$@"; then
    passed=$((passed + 1))
    say "$name: passed, $((SECONDS - started)) s"
    # What it measured.
    sed -n "s/^$name: /   /p" "$LOGS/${name// /-}.log" >&3
  fi
}

mkdir -p "$LOGS"
run_everything
timeout 30 dotnet build-server shutdown --vbcscompiler >/dev/null 2>&1 || true
if [ $((passed + failed)) -eq 0 ]; then
  echo "run.sh: nothing ran" >&2
fi
if [ "${#failures[@]}" -gt 0 ]; then
  printf '== failures\n'
  printf '%s\n' "${failures[@]}"
fi
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
