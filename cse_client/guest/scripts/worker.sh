# shellcheck shell=bash disable=SC2154
# A worker: waits for the API, then joins with a certificate of its own name. `put_discovery` and
# API_HOST, API_PORT come from the data block.
DISCOVERY=/run/cse/discovery.conf
KUBELET=/etc/kubernetes/kubelet.conf
K() { kubectl --kubeconfig "$DISCOVERY" --request-timeout=10s "$@"; }
api_answers() { port_open "$API_HOST" "$API_PORT"; }
tell_api() {
  # Once it has joined, the node's own lasting certificate speaks.
  marked ok.join && DISCOVERY=$KUBELET
  [ -s "$DISCOVERY" ] && api_answers || return 0
  lease "$@" | K apply --server-side --force-conflicts --validate=false -f -
}
# The API answers seconds before a node can join. kubeadm grants this last of all that join needs,
# after its configuration is there (cmd/kubeadm: upload-config comes before bootstrap-token).
api_ready() {
  api_answers || { LAST="no connection"; return 1; }
  LAST=$(K auth can-i create certificatesigningrequests.certificates.k8s.io \
    --subresource=selfnodeclient 2>&1) && return 0
  case $LAST in no | *$'\n'no) LAST="it accepts no nodes yet" ;; esac
  return 1
}
step_wait() {
  until_ok "$T_WAIT" api_ready ||
    {
      [ "$(date -u +%s)" -le $((MINTED + T_CERT)) ] ||
        die "this node's join certificate has expired, replace the node: $(last_line "$LAST")"
      die "the control plane at $API_HOST:$API_PORT is not ready after $T_WAIT s: $(last_line "$LAST")"
    }
}
node_there() { DISCOVERY=$KUBELET K get node "$NODE" -o name; }
clean_join() {
  kubeadm reset -f --cri-socket "$CRI" || true
  rm -f "$KUBELET" /etc/kubernetes/bootstrap-kubelet.conf /etc/kubernetes/pki/ca.crt
}
# Power was lost late in a join: the kubelet finishes on its own, only kubeadm's last acts are left.
finish_join() {
  [ -s "$KUBELET" ] && [ -s /var/lib/kubelet/config.yaml ] || return 1
  until_ok 120 node_there || return 1
  # From then on kubeadm keeps it in a file that it wrote before it started the kubelet.
  [ "$MINOR" -ge 34 ] ||
    DISCOVERY=$KUBELET K annotate --overwrite node "$NODE" \
      "kubeadm.alpha.kubernetes.io/cri-socket=$CRI" || return 1
  rm -f /etc/kubernetes/bootstrap-kubelet.conf
}
step_join() {
  local n rc
  if marked join.started; then
    finish_join && return 0
    clean_join
  fi
  mark join.started
  for n in 1 2 3; do
    rc=0
    kubeadm join --discovery-file "$DISCOVERY" --node-name "$NODE" --cri-socket "$CRI" || rc=$?
    [ "$rc" = 0 ] && return 0
    clean_join
    [ "$n" = 3 ] || { sleep $((n * 5)); until_ok 60 api_ready || true; }
  done
  die "kubeadm join failed (rc $rc)"
}
start
put_discovery
step host
[ -z "${SETTINGS:-}" ] || step settings
step runtime
await_runtime
start_pulls '/(kube-proxy|pause):'
step wait
step images
step join
all_done
