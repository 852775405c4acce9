# shellcheck shell=bash
# Installs the Debian packages that are missing, without questions. Sourced by demo.sh and tests/run.sh.

as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo -E "$@"
  else
    echo "not root and no sudo: cannot run $*" >&2
    return 1
  fi
}

# is_installed PACKAGE PROGRAM: PROGRAM "-" asks dpkg. Present programs are not installed again, wherever they came from.
is_installed() {
  local package=$1 program=$2
  if [ "$program" = - ]; then
    # Debian 13 and Ubuntu 24.04 renamed some libraries (libssl3t64): the old name is then only provided.
    { dpkg-query -W -f '${Status}\n' "$package" "${package}t64" 2>/dev/null || true; } | grep -c '^install ok installed' >/dev/null
  else
    command -v "$program" >/dev/null || [ -x "/usr/sbin/$program" ]
  fi
}

# install_missing LOG < "PACKAGE PROGRAM" lines: names what it installs; the tools' own talk goes to LOG.
install_missing() {
  local log=$1 package program missing=()
  while read -r package program; do
    is_installed "$package" "$program" || missing+=("$package")
  done
  [ "${#missing[@]}" -gt 0 ] || return 0
  echo "installing ${missing[*]}"
  as_root apt-get update -qq >"$log" 2>&1 || true
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >>"$log" 2>&1 </dev/null && return 0
  echo "could not install ${missing[*]}; the end of $log:" >&2
  tail -n 15 "$log" >&2
  return 1
}
