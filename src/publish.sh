#!/usr/bin/env bash
# Publishes the native binary to DIRECTORY (default: artifacts/native) and prints the target framework it was built for.
# net10.0 where its NativeAOT pack restores, else net9.0 (src/decisions/0005-target-framework.md). Needs clang or gcc, and zlib's headers.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
output=${1:-artifacts/native}
case "$(uname -m)" in
  x86_64) runtime=linux-x64 ;;
  aarch64) runtime=linux-arm64 ;;
  *) echo "publish.sh: no NativeAOT build for $(uname -m)" >&2; exit 1 ;;
esac
runtime=${ZTUNNEL_RUNTIME:-$runtime}

restores() {
  dotnet restore src/Ztunnel/Ztunnel.csproj --verbosity quiet -r "$runtime" -p:ZtunnelTargetFramework="$1" -p:ZtunnelNative=true >/dev/null 2>&1
}

framework=net10.0
if ! restores "$framework"; then
  framework=net9.0
fi

linker=()
command -v clang >/dev/null || linker=(-p:CppCompilerAndLinker=gcc)
dotnet publish src/Ztunnel/Ztunnel.csproj --configuration Release --verbosity quiet --nologo -r "$runtime" \
  -p:ZtunnelTargetFramework="$framework" -p:ZtunnelNative=true "${linker[@]}" --output "$output"
echo "ztunnel: $framework NativeAOT, $(stat -c %s "$output/ztunnel") bytes, $output/ztunnel"
