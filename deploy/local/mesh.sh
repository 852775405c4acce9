# shellcheck shell=bash
# The mesh of the demo as a local file, and the pods of each node.

# write_mesh SERVICE_ACCOUNT...: who may call cart. Replaced as a whole, as an editor or a ConfigMap would.
write_mesh() {
  local accounts=("$@")
  {
    echo "workloads:"
    workload node-1 front-0 front ""
    workload node-1 guest-0 guest ""
    workload node-2 cart-0 cart '"shop/cart.shop.svc.cluster.local": {80: 8080}'
    workload node-2 cart-1 cart '"shop/cart.shop.svc.cluster.local": {80: 8080}'
    cat <<YAML
services:
- {name: cart, namespace: shop, hostname: cart.shop.svc.cluster.local, vips: ["/$VIP"], ports: {80: 8080}}
policies:
- name: cart-callers
  namespace: shop
  scope: WorkloadSelector
  action: Allow
  dryRun: false
  rules:
  - - - principals:
YAML
    printf '        - {Exact: "cluster.local/ns/shop/sa/%s"}\n' "${accounts[@]}"
  } >"$STATE/mesh.yaml.new"
  mv "$STATE/mesh.yaml.new" "$STATE/mesh.yaml"
}

# workload NODE POD SERVICE_ACCOUNT SERVICES
workload() {
  local node=$1 pod=$2 account=$3 services=$4 policies=""
  [ "$account" != cart ] || policies='"shop/cart-callers"'
  cat <<YAML
- {uid: "demo//Pod/shop/$pod", name: $pod, namespace: shop, serviceAccount: $account, trustDomain: cluster.local, clusterId: demo, node: $node,
   workloadName: $account, workloadType: deployment, canonicalName: $account, canonicalRevision: v1, network: "", protocol: HBONE,
   workloadIps: ["$(address_of "$pod")", "$(address6_of "$pod")"], services: {$services}, authorizationPolicies: [$policies]}
YAML
}

# write_pod_list NODE POD...
write_pod_list() {
  local node=$1 pod separator=""
  shift
  {
    printf '{"pods": ['
    for pod in "$@"; do
      printf '%s\n  {"uid": "uid-%s", "name": "%s", "namespace": "shop", "serviceAccount": "%s", "netns": "%s"}' "$separator" "$pod" "$pod" "${pod%-*}" "$(netns_of "$pod")"
      separator=,
    done
    printf '\n]}\n'
  } >"$STATE/$node.pods.json"
}
