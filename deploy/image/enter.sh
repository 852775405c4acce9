#!/usr/bin/env bash
# Runs ztunnel inside the image's root the way the DaemonSet does: read-only root, /tmp and /run from outside, uid 0, gid 1337, no capability but NET_ADMIN, SYS_ADMIN and NET_RAW.
#   ZTUNNEL_IMAGE_ROOT=DIRECTORY deploy/image/enter.sh proxy ztunnel
# The process keeps its id, so signals reach ztunnel. `redirect` and `agent` are the node agent's part and run outside, with ZTUNNEL_OUTSIDE.
set -euo pipefail

case "${1:-}" in
  redirect | agent) exec "${ZTUNNEL_OUTSIDE:?the binary on this machine}" "$@" ;;
esac
: "${ZTUNNEL_IMAGE_ROOT:?the root that assemble.sh filled}"
if [ "${ZTUNNEL_ENTERED:-}" != yes ]; then
  ZTUNNEL_ENTERED=yes exec unshare --mount --propagation slave "${BASH_SOURCE[0]}" "$@"
fi
unset ZTUNNEL_ENTERED

mount --bind "$ZTUNNEL_IMAGE_ROOT" "$ZTUNNEL_IMAGE_ROOT"
mount -o remount,bind,ro "$ZTUNNEL_IMAGE_ROOT"
for folder in tmp run; do
  mount --rbind "/$folder" "$ZTUNNEL_IMAGE_ROOT/$folder"
done
mount -t proc proc "$ZTUNNEL_IMAGE_ROOT/proc"
mount --rbind /dev "$ZTUNNEL_IMAGE_ROOT/dev"

# The bounding set can only be left behind after chroot, which needs a capability of its own, and the image has no program that could do it.
exec python3 - "$ZTUNNEL_IMAGE_ROOT" "$@" 3<&0 <<'PYTHON'
import ctypes, os, sys

PR_CAPBSET_READ, PR_CAPBSET_DROP = 23, 24
KEPT = {12, 13, 21}  # NET_ADMIN, NET_RAW, SYS_ADMIN: linux/capability.h
libc = ctypes.CDLL(None, use_errno=True)
os.chroot(sys.argv[1])
os.chdir("/")
os.dup2(3, 0)
os.close(3)
os.setgroups([])
os.setgid(1337)
for capability in range(64):
    if capability not in KEPT and libc.prctl(PR_CAPBSET_READ, capability, 0, 0, 0) == 1:
        if libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0:
            sys.exit(f"enter.sh: cannot drop capability {capability}")
os.environ["SSL_CERT_FILE"] = "/etc/ssl/certs/ca-certificates.crt"
os.execv("/usr/local/bin/ztunnel", ["ztunnel", *sys.argv[2:]])
PYTHON
