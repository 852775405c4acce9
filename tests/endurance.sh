#!/usr/bin/env bash
# Loads two published ztunnels with everything at once while the mesh around them changes, checks every byte, and looks for what is left behind (tests/Ztunnel.Endurance). As root. The same program in tests/run.sh, for some seconds.
#   tests/endurance.sh [MINUTES=20] [SEED=1]
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
export DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1
readonly PROGRAM=artifacts/net10.0/bin/Ztunnel.Endurance/debug/Ztunnel.Endurance.dll
binary=${ZTUNNEL_BINARY:-artifacts/native/ztunnel}
[ -x "$binary" ] || src/publish.sh >&2
# run.sh has built it; whoever calls this by hand may have changed something since.
if [ ! -f "$PROGRAM" ] || [ -n "$(find src tests proto -name '*.cs' -newer "$PROGRAM" -print -quit)" ]; then
  dotnet build tests/Ztunnel.Endurance --verbosity quiet --nologo >&2
fi
exec dotnet "$PROGRAM" --minutes "${1:-20}" --seed "${2:-1}" --ztunnel "$binary"
