#!/usr/bin/env bash
# Removes the kind cluster that up.sh made. Other clusters and the image stay.
#   deploy/kind/down.sh [--dry-run]
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
readonly here
# shellcheck source=common.sh
. "$here/common.sh"

read_options "$@"
if [ "$dry_run" = no ]; then
  need kind 0.24 "https://kind.sigs.k8s.io/docs/user/quick-start" kind version
  need_engine
fi
step "Remove the cluster $CLUSTER"
run kind delete cluster --name "$CLUSTER"
