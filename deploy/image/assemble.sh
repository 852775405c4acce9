#!/usr/bin/env bash
# Puts the binary into the root that userland.sh made, and checks the result: the size, and where this machine can run it, that every shared library is found.
#   deploy/image/assemble.sh ROOT BINARY
set -euo pipefail

root=$1 binary=$2
readonly LIMIT_MB=45

install -D -m 0755 "$binary" "$root/usr/local/bin/ztunnel"
touch --date="@${SOURCE_DATE_EPOCH:-0}" "$root/usr/local/bin/ztunnel" "$root/usr/local/bin"

bytes=$(find "$root" -xdev -type f -printf '%s\n' | awk '{ sum += $1 } END { print sum }')
megabytes=$(awk -v bytes="$bytes" 'BEGIN { printf "%.1f", bytes / 1000000 }')
echo "image: $megabytes MB unpacked, of which ztunnel $(stat -c %s "$root/usr/local/bin/ztunnel" | awk '{ printf "%.1f", $1 / 1000000 }') MB"
[ "$bytes" -le $((LIMIT_MB * 1000000)) ] || { echo "assemble.sh: more than $LIMIT_MB MB; the largest files:" >&2; find "$root" -xdev -type f -printf '%s %P\n' | sort -rn | head -n 10 >&2; exit 1; }

loader=$(find "$root/usr/lib" -name 'ld-linux-*.so.*' -type f -printf '/usr/lib/%P\n' | head -n 1)
[ -n "$loader" ] || { echo "assemble.sh: no dynamic loader in $root" >&2; exit 1; }
if ! chroot "$root" "$loader" --version >/dev/null 2>&1; then
  echo "image: made for another processor, libraries not looked up"
  exit 0
fi
# libssl and libcrypto are opened at run time, so the binary does not name them.
for file in /usr/local/bin/ztunnel libssl.so.3 libcrypto.so.3; do
  case "$file" in
    /*) path=$file ;;
    *) path=$(find "$root/usr/lib" -name "$file" -printf '/usr/lib/%P\n' | head -n 1) ;;
  esac
  [ -n "$path" ] || { echo "assemble.sh: $file is not in the image" >&2; exit 1; }
  libraries=$(chroot "$root" "$loader" --list "$path" 2>&1) || { echo "assemble.sh: $path: $libraries" >&2; exit 1; }
  ! grep -F 'not found' <<<"$libraries" >&2 || { echo "assemble.sh: $path needs libraries that are not in the image" >&2; exit 1; }
done
echo "image: every shared library is found; $(chroot "$root" /usr/local/bin/ztunnel version)"
