#!/usr/bin/env bash
# A Debian 13 (trixie) root in DIRECTORY, by debootstrap; one that is complete is left as it is. Stands for the base image of the Dockerfile on machines without a container engine.
#   deploy/image/debian13.sh DIRECTORY
set -euo pipefail

directory=$1
mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian}
[ ! -e "$directory/.complete" ] || exit 0
rm -rf "$directory"
mkdir -p "$directory"
log=$directory.log
if ! debootstrap --variant=minbase --include=ca-certificates trixie "$directory" "$mirror" >"$log" 2>&1; then
  tail -n 15 "$log" >&2
  echo "debian13.sh: debootstrap failed; DEBIAN_MIRROR names another mirror than $mirror" >&2
  exit 1
fi
touch "$directory/.complete"
