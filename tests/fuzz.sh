#!/usr/bin/env bash
# Fuzzes for a while: all targets of tests/Ztunnel.Fuzz.Tests share the minutes, from a seed of the clock unless one is given. A failure says with which variables it is found again; it becomes a named test, and its input a line of Seeds.
#   tests/fuzz.sh MINUTES [SEED]
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
[ $# -ge 1 ] || { echo "usage: tests/fuzz.sh MINUTES [SEED]" >&2; exit 2; }
FUZZ_COUNTS=$(mktemp)
trap 'rm -f "$FUZZ_COUNTS"' EXIT
export FUZZ_COUNTS FUZZ_MINUTES=$1 FUZZ_SEED=${2:-$(date +%s)}
export DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1
echo "tests/fuzz.sh: seed $FUZZ_SEED, $FUZZ_MINUTES minutes" >&2
code=0
dotnet test tests/Ztunnel.Fuzz.Tests --nologo || code=$?
sort -k2 "$FUZZ_COUNTS"
awk '{ sum += $1 } END { printf "fuzz: %d inputs, %d targets\n", sum, NR }' "$FUZZ_COUNTS"
exit "$code"
