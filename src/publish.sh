#!/usr/bin/env bash
# Publishes the native binary to DIRECTORY (default: artifacts/native) and prints the target framework it was built for.
# net10.0 where its NativeAOT pack restores, else net9.0 (src/decisions/0005-target-framework.md). Needs clang or gcc, and zlib's headers.
# ZTUNNEL_RUNTIME=linux-arm64 or linux-x64 builds for the other processor: with clang, lld and Debian's cross packages (deploy/image/build.sh installs them). ZTUNNEL_REVISION names the commit where there is no git.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
output=${1:-artifacts/native}
case "$(uname -m)" in
  x86_64) here=linux-x64 ;;
  aarch64) here=linux-arm64 ;;
  *) echo "publish.sh: no NativeAOT build for $(uname -m)" >&2; exit 1 ;;
esac
runtime=${ZTUNNEL_RUNTIME:-$here}

restores() {
  dotnet restore src/Ztunnel/Ztunnel.csproj --verbosity quiet -r "$runtime" -p:ZtunnelTargetFramework="$1" -p:ZtunnelNative=true >/dev/null 2>&1
}

framework=net10.0
if ! restores "$framework"; then
  framework=net9.0
fi

options=()
if [ "$runtime" != "$here" ]; then
  case "$runtime" in
    linux-x64) gnu=x86_64-linux-gnu ;;
    linux-arm64) gnu=aarch64-linux-gnu ;;
    *) echo "publish.sh: no NativeAOT build for $runtime; expected linux-x64 or linux-arm64" >&2; exit 1 ;;
  esac
  command -v clang "$gnu-objcopy" ld.lld >/dev/null || { echo "publish.sh: building for $runtime needs clang, lld and gcc-${gnu/_/-}" >&2; exit 1; }
  options=(-p:LinkerFlavor=lld "-p:ObjCopyName=$gnu-objcopy")
elif ! command -v clang >/dev/null; then
  options=(-p:CppCompilerAndLinker=gcc)
fi
[ -z "${ZTUNNEL_REVISION:-}" ] || options+=("-p:SourceRevisionId=$ZTUNNEL_REVISION")
dotnet publish src/Ztunnel/Ztunnel.csproj --configuration Release --verbosity quiet --nologo -r "$runtime" \
  -p:ZtunnelTargetFramework="$framework" -p:ZtunnelNative=true "${options[@]}" --output "$output"
echo "ztunnel: $framework NativeAOT, $(stat -c %s "$output/ztunnel") bytes, $output/ztunnel"
