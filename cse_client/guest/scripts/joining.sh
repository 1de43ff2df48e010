# shellcheck shell=bash disable=SC2154,SC2015
# Waiting for the API, and joining with a certificate of the node's own name. `put_discovery`,
# API_HOST and API_PORT come from the data block; JOIN, `finish_join` and `clean_join` are the kind's.
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
# A network may let the control plane's own address through, and not one that belongs to no machine.
blocked() {
  [ -n "${HEAD:-}" ] && port_open "$HEAD" 6443 || { BLOCKED=0; return 0; }
  BLOCKED=$((${BLOCKED:-0} + 1))
  [ "$BLOCKED" -lt 30 ] || die "the API answers at the control plane's own address $HEAD, but not at\
 the virtual address $API_HOST: the network blocks it (SpoofGuard), or another machine has it"
}
# The API answers seconds before a node can join. kubeadm grants this last of all that join needs,
# after its configuration is there (cmd/kubeadm: upload-config comes before bootstrap-token).
api_ready() {
  api_answers || { LAST="no connection"; blocked; return 1; }
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
step_join() {
  local n rc
  if marked join.started; then
    finish_join && return 0
    clean_join
  fi
  mark join.started
  for n in 1 2 3; do
    rc=0
    kubeadm join "${JOIN[@]}" || rc=$?
    [ "$rc" = 0 ] && return 0
    clean_join
    [ "$n" = 3 ] || { sleep $((n * 5)); until_ok 60 api_ready || true; }
  done
  die "kubeadm join failed (rc $rc)"
}
