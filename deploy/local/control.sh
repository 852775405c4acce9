# shellcheck shell=bash
# Where the demo's ztunnels get mesh and certificates from: the local file and the embedded authority, or the stand-in for istiod (--xds), which serves the same file over xDS.

# shellcheck disable=SC2034 # for demo.sh
readonly CONTROL_PORT=15012
readonly CONTROL_ADDRESS=10.201.0.254
readonly CERTIFICATE_SECONDS=8
readonly ISTIOD_PROJECT=tests/Ztunnel.Istiod
readonly ROTATION_MEGABYTES=180

# shellcheck disable=SC2154 # demo.sh sets root and control
build_istiod() {
  echo "building the stand-in for istiod"
  dotnet build "$root/$ISTIOD_PROJECT" --verbosity quiet --nologo >"${TMPDIR:-/tmp}/zt-demo-istiod.log" 2>&1 ||
    { tail -n 20 "${TMPDIR:-/tmp}/zt-demo-istiod.log" >&2; fail "$ISTIOD_PROJECT does not build"; }
}

# shellcheck disable=SC2154
start_istiod() {
  local program
  program=$root/artifacts/net10.0/bin/Ztunnel.Istiod/debug/Ztunnel.Istiod.dll
  start_inside net "$STATE/istiod.log" dotnet "$program" --mesh "$STATE/mesh.yaml" --folder "$STATE/istiod" --listen "$CONTROL_ADDRESS:$CONTROL_PORT"
  wait_for 20 "the stand-in for istiod" grep -q '^ready' "$STATE/istiod.log"
  fact "$(sed -n 1p "$STATE/istiod.log"), process $started"
}

# control_environment NODE: one assignment a line.
# shellcheck disable=SC2154
control_environment() {
  local node=$1
  if [ "$control" = file ]; then
    printf '%s\n' XDS_ADDRESS= "LOCAL_XDS_PATH=$STATE/mesh.yaml" FAKE_CA=true "ZTUNNEL_FAKE_CA_ROOT=$STATE/root.pem" RUST_LOG=info
    return
  fi
  printf '%s\n' "XDS_ADDRESS=$CONTROL_ADDRESS:$CONTROL_PORT" "CA_ADDRESS=$CONTROL_ADDRESS:$CONTROL_PORT" \
    "XDS_ROOT_CA=$STATE/istiod/root-cert.pem" "CA_ROOT_CA=$STATE/istiod/root-cert.pem" "AUTH_TOKEN=$STATE/istiod/token-$node" \
    "POD_NAME=ztunnel-$node" POD_NAMESPACE=istio-system "INSTANCE_IP=$(address_of "$node")" ISTIO_META_CLUSTER_ID=demo \
    "SECRET_TTL=${CERTIFICATE_SECONDS}s" RUST_LOG=info,ztunnel::identity=debug
}

renewals() { grep -c 'certificate fetch succeeded' "$STATE/$1.log" || true; }

# serial_of NODE SERVICE_ACCOUNT: of the certificate in use, from the node's admin port.
serial_of() {
  inside "$1" curl -sSf --max-time 5 http://127.0.0.1:15000/config_dump | python3 -c '
import json, sys
print([c["certChain"][0]["serialNumber"] for c in json.load(sys.stdin)["certificates"] if c["identity"].endswith("/sa/" + sys.argv[1])][0])' "$2"
}

show_rotation() {
  step "Certificates that live ${CERTIFICATE_SECONDS} s, renewed while traffic flows"
  local expected before_1 before_2 serial later download requests=0
  head -c "${ROTATION_MEGABYTES}M" /dev/urandom >"$STATE/www-cart-0/data"
  expected=$(sha256sum <"$STATE/www-cart-0/data")
  before_1=$(renewals node-1) before_2=$(renewals node-2)
  serial=$(serial_of node-1 front)
  inside front-0 curl -sS --limit-rate 15M --max-time 60 "http://$(address_of cart-0):8080/data" 2>"$STATE/download.log" | sha256sum >"$STATE/download.sum" &
  download=$!
  while kill -0 "$download" 2>/dev/null; do
    ask front-0 "http://$VIP/who" >/dev/null || fail "request $requests failed while certificates were renewed"
    requests=$((requests + 1))
  done
  wait "$download" || fail "the download broke: $(cat "$STATE/download.log")"
  [ "$(cat "$STATE/download.sum")" = "$expected" ] || fail "the download is not what was sent"
  fact "$ROTATION_MEGABYTES MB downloaded in one connection, sha256 as sent; $requests requests beside it, each answered"
  before_1=$(($(renewals node-1) - before_1)) before_2=$(($(renewals node-2) - before_2))
  fact "certificates issued meanwhile: node-1 $before_1, node-2 $before_2"
  if [ "$before_1" -lt 2 ] || [ "$before_2" -lt 2 ]; then
    fail "certificates were not renewed during the download"
  fi
  fact "the last of them: $(grep 'certificate fetch succeeded' "$STATE/node-1.log" | tail -n 1)"
  later=$(serial_of node-1 front)
  [ "$later" != "$serial" ] || fail "node-1 still shows the certificate from before"
  fact "serial number of front's certificate: $serial, now $later"
}
