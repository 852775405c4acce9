# shellcheck shell=bash
# What run.sh and profile.sh share: where things are, and how the programs are built. Sourced at the root of the repository.

readonly BENCH=$PWD/artifacts/bench-native/ztunnel-bench
readonly CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/ztunnel-bench
readonly DEBIAN13=$CACHE/trixie
export DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1 MSBUILDDISABLENODEREUSE=1

fail() { echo "$(basename "$0"): $*" >&2; exit 1; }

need_root() {
  [ "$(id -u)" -eq 0 ] || fail "network namespaces need root: sudo -E $0 ..."
}

# install_missing < "PACKAGE FILE" lines: packages whose file is not there.
install_missing() {
  local package file missing=()
  while read -r package file; do
    [ -e "$file" ] || missing+=("$package")
  done
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

# publish_native PROJECT FOLDER, as src/publish.sh does it for the product. Up to date already when nothing changed: publish compares.
publish_native() {
  local project=$1 folder=$2 framework=net10.0 runtime linker=()
  runtime=linux-$(uname -m | sed 's/x86_64/x64/; s/aarch64/arm64/')
  dotnet restore "$project" --verbosity quiet -r "$runtime" -p:ZtunnelTargetFramework=net10.0 -p:ZtunnelNative=true >/dev/null 2>&1 || framework=net9.0
  command -v clang >/dev/null || linker=(-p:CppCompilerAndLinker=gcc)
  dotnet publish "$project" --configuration Release --verbosity quiet --nologo -m:1 -r "$runtime" \
    -p:ZtunnelTargetFramework="$framework" -p:ZtunnelNative=true "${linker[@]}" --output "$folder"
}

publish_bench() { publish_native bench/Ztunnel.LoadBench "$(dirname "$BENCH")"; }

revision() {
  echo "$(git rev-parse --short HEAD)$([ -z "$(git status --porcelain -- src bench)" ] || echo ' with local changes')"
}

# 50,000 connections need 100,000 descriptors in each proxy. Root may raise the hard limit where it has CAP_SYS_RESOURCE; where not, the bench takes what there is and says so.
raise_descriptor_limit() {
  prlimit --pid $$ --nofile=1048576:1048576 2>/dev/null || ulimit -n "$(ulimit -Hn)"
}
