#!/usr/bin/env bash
# Istio ambient with this ztunnel, on a laptop: makes a kind cluster of three nodes, builds and loads the image, installs Istio with it, and shows encryption, policy and metrics between two pods.
#   deploy/kind/up.sh             do it (ten minutes, most of them downloads)
#   deploy/kind/up.sh --dry-run   print the commands, run nothing, need nothing
#   deploy/kind/down.sh           remove the cluster
# Variables: CLUSTER (ztunnel), IMAGE (localhost/ztunnel-dotnet:dev; one that exists already is not built: then set BUILD=no). Can be run again: what is there stays.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
readonly here root
# shellcheck source=common.sh
. "$here/common.sh"
readonly DEMO=ztunnel-demo
BUILD=${BUILD:-yes}

check_tools() {
  step "What this needs"
  if [ "$dry_run" = yes ]; then
    echo "   docker 24 with a running engine, kind 0.24, kubectl 1.29, istioctl 1.26, or later each"
    return
  fi
  need docker 24.0 "https://docs.docker.com/engine/install" docker version --format '{{.Client.Version}}'
  need_engine
  [ "$BUILD" = no ] || docker buildx version >/dev/null 2>&1 || fail "docker has no buildx, which the Dockerfile needs: install the plugin (package docker-buildx-plugin), https://docs.docker.com/go/buildx"
  need kind 0.24 "https://kind.sigs.k8s.io/docs/user/quick-start" kind version
  need kubectl 1.29 "https://kubernetes.io/docs/tasks/tools" kubectl version --client
  need istioctl 1.26 "https://istio.io/latest/docs/setup/getting-started" istioctl version --remote=false
}

make_cluster() {
  step "The cluster: a control plane and two workers"
  if [ "$dry_run" = no ] && kind get clusters 2>/dev/null | grep -qx "$CLUSTER"; then
    echo "   $CLUSTER is there already"
    return
  fi
  run kind create cluster --name "$CLUSTER" --config "$here/cluster.yaml" --wait 180s
}

load_image() {
  step "The image, built here and carried to every node"
  [ "$BUILD" = no ] || run docker build --tag "$IMAGE" "$root"
  run kind load docker-image "$IMAGE" --name "$CLUSTER"
}

install_istio() {
  step "Istio with its ambient profile; only the image of ztunnel is another"
  run istioctl install --context "$CONTEXT" --skip-confirmation --set profile=ambient --set "values.ztunnel.image=$IMAGE"
  kube --namespace istio-system rollout status daemonset/ztunnel --timeout=180s
  kube --namespace istio-system get daemonset ztunnel --output 'jsonpath={.spec.template.spec.containers[0].image}{"\n"}'
}

start_workloads() {
  step "A server and two clients, in a namespace of the mesh"
  kube apply --filename "$here/workloads.yaml"
  kube --namespace "$DEMO" rollout status deployment/server --timeout=180s
  kube --namespace "$DEMO" rollout status deployment/friend --timeout=180s
  kube --namespace "$DEMO" rollout status deployment/stranger --timeout=180s
}

# ask CLIENT: one request to the server.
ask() { kube --namespace "$DEMO" exec "deployment/$1" -- curl --silent --show-error --max-time 5 http://server:8080/hostname; }

show_encryption() {
  step "Encrypted and identified: the request arrives, and both ends know who the other is"
  ask friend
  kube --namespace istio-system logs --selector app=ztunnel --tail=-1 --since=60s --prefix | show_lines "dst.service=\"server.$DEMO"
  run istioctl --context "$CONTEXT" ztunnel-config workloads --workload-namespace "$DEMO"
}

show_policy() {
  step "A policy: only the friend may call; the stranger is refused, and the log says why"
  kube apply --filename "$here/policy.yaml"
  ask friend
  if [ "$dry_run" = yes ]; then
    ask stranger
  else
    # A policy needs a moment to reach the nodes: the refusal is awaited.
    local attempt
    for attempt in $(seq 1 20); do
      ask stranger >/dev/null 2>&1 || break
      [ "$attempt" -lt 20 ] || fail "the stranger is still served 20 s after the policy: look at 'istioctl ztunnel-config policies'"
      sleep 1
    done
    echo "   refused"
  fi
  kube --namespace istio-system logs --selector app=ztunnel --tail=-1 --since=60s --prefix | show_lines policy_denied
}

show_metrics() {
  step "Metrics of one node"
  local pod=ztunnel-xxxxx
  [ "$dry_run" = yes ] || pod=$(kubectl --context "$CONTEXT" --namespace istio-system get pods --selector app=ztunnel --output 'jsonpath={.items[0].metadata.name}')
  kube get --raw "/api/v1/namespaces/istio-system/pods/$pod:15020/proxy/stats/prometheus" | show_lines mutual_tls
}

# The first three lines that hold a text. Reads to the end, so that the writer never fails.
show_lines() { awk -v text="$1" 'index($0, text) && ++shown <= 3 { print substr($0, 1, 400) }'; }

read_options "$@"
check_tools
make_cluster
load_image
install_istio
start_workloads
show_encryption
show_policy
show_metrics
printf '\nThe cluster stays: kubectl --context %s. Remove it: %s/down.sh\n' "$CONTEXT" "$here"
