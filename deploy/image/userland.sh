#!/usr/bin/env bash
# The user land of the image: DIRECTORY becomes a root with glibc, OpenSSL, the CA certificates and what they need, nothing else: no shell, no package manager.
#   deploy/image/userland.sh DIRECTORY [ARCHITECTURE]
# Runs as root inside Debian 13: as a stage of the Dockerfile, and in the root that deploy/image/test.sh makes. Packages are only unpacked, so that amd64 can make the root of arm64.
# SOURCE_DATE_EPOCH dates every file; DEBIAN_SNAPSHOT (20261115T000000Z) takes the packages of that moment from snapshot.debian.org.
set -euo pipefail

root=$1
architecture=${2:-$(dpkg --print-architecture)}
case "$architecture" in
  amd64) triplet=x86_64-linux-gnu ;;
  arm64) triplet=aarch64-linux-gnu ;;
  *) echo "userland.sh: no image for $architecture; expected amd64 or arm64" >&2; exit 1 ;;
esac
. /etc/os-release
[ "${VERSION_CODENAME:-}" = trixie ] || { echo "userland.sh: this is ${PRETTY_NAME:-unknown}, the image is made in Debian 13 (trixie)" >&2; exit 1; }

# base-files tells scanners which Debian this is; libzstd1 and zlib1g are what libcrypto is linked with.
packages=(base-files ca-certificates "libc6:$architecture" "libssl3t64:$architecture" "libzstd1:$architecture" "zlib1g:$architecture")
downloads=$(mktemp -d)
trap 'rm -rf "$downloads"' EXIT

if [ -n "${DEBIAN_SNAPSHOT:-}" ]; then
  rm -f /etc/apt/sources.list /etc/apt/sources.list.d/*
  printf 'deb [check-valid-until=no] http://snapshot.debian.org/archive/%s trixie%s main\n' \
    "debian/$DEBIAN_SNAPSHOT" "" "debian-security/$DEBIAN_SNAPSHOT" "-security" >/etc/apt/sources.list
fi
[ "$architecture" = "$(dpkg --print-architecture)" ] || dpkg --add-architecture "$architecture"
apt-get update -qq
# As whom apt fetches by itself may not write here.
(cd "$downloads" && apt-get -o APT::Sandbox::User=root download -qq "${packages[@]}")

mkdir -p "$root"/{usr/{bin,sbin,lib,lib64,local/bin},etc/ssl/certs,root,proc,sys,dev,run/ztunnel,tmp,var/lib/dpkg/status.d}
chmod 1777 "$root/tmp"
for link in bin sbin lib lib64; do
  ln -sfn "usr/$link" "$root/$link"
done
ln -sfn /run "$root/var/run"

unpacked=$downloads/unpacked
for package in "$downloads"/*.deb; do
  name=$(dpkg-deb -f "$package" Package)
  rm -rf "$unpacked"
  dpkg-deb -x "$package" "$unpacked"
  # Scanners (trivy, syft) read which packages an image without dpkg holds from here.
  dpkg-deb -f "$package" >"$root/var/lib/dpkg/status.d/$name"
  install -D -m 0644 "$unpacked/usr/share/doc/$name/copyright" "$root/usr/share/doc/$name/copyright"
  case "$name" in
    base-files)
      cp "$unpacked/usr/lib/os-release" "$root/usr/lib/os-release"
      ln -sfn ../usr/lib/os-release "$root/etc/os-release"
      cp "$unpacked/etc/debian_version" "$root/etc/debian_version"
      ;;
    ca-certificates)
      cat "$unpacked"/usr/share/ca-certificates/mozilla/*.crt >"$root/etc/ssl/certs/ca-certificates.crt"
      ;;
    *)
      # Libraries and the loader; no character set tables, engines, locales.
      mkdir -p "$root/usr/lib/$triplet"
      find "$unpacked/usr/lib/$triplet" -maxdepth 1 -name '*.so*' -exec cp -a -t "$root/usr/lib/$triplet" {} +
      # The name programs ask for is /lib64/ld-linux-x86-64.so.2 or /lib/ld-linux-aarch64.so.1, a link into the folder above.
      for folder in lib lib64; do
        find "$unpacked/usr/$folder" -maxdepth 1 -name 'ld-linux*' -exec cp -a -t "$root/usr/$folder" {} + 2>/dev/null || true
      done
      ;;
  esac
done
# Only for debugging and profiling other programs.
rm -f "$root/usr/lib/$triplet"/lib{memusage,pcprofile,c_malloc_debug,thread_db}.so*

printf 'root:x:0:0:root:/root:/usr/sbin/nologin\n' >"$root/etc/passwd"
# 1337 is the group Istio's charts run the container with.
printf 'root:x:0:\nistio-proxy:x:1337:\n' >"$root/etc/group"
printf 'passwd: files\ngroup: files\nhosts: files dns\n' >"$root/etc/nsswitch.conf"

find "$root" -exec touch --no-dereference --date="@${SOURCE_DATE_EPOCH:-0}" {} +
