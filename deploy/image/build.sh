#!/usr/bin/env bash
# The native binary for one architecture of the image, built on any of them.
#   deploy/image/build.sh OUTPUT [amd64|arm64]
# Runs as root in a Debian or Ubuntu with the .NET SDK (a stage of the Dockerfile); installs the linker, and for the other architecture its C library.
set -euo pipefail

output=$1
here=$(dpkg --print-architecture)
target=${2:-$here}
case "$target" in
  amd64) export ZTUNNEL_RUNTIME=linux-x64; gnu=x86-64-linux-gnu ;;
  arm64) export ZTUNNEL_RUNTIME=linux-arm64; gnu=aarch64-linux-gnu ;;
  *) echo "build.sh: no NativeAOT build for $target; expected amd64 or arm64" >&2; exit 1 ;;
esac

packages=(clang lld zlib1g-dev)
[ "$target" = "$here" ] || packages+=("gcc-$gnu" "libc6-dev-$target-cross")
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}"

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
src/publish.sh "$output"
