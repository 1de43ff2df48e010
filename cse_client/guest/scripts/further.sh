# shellcheck shell=bash disable=SC2034,SC2154
# A further control plane: joins as a worker does, with the cluster's own CAs (`put_pki`), and not before
# the node AFTER is done, because etcd takes in one learner at a time.
#
# A join that power loss has cut is begun anew: a member of etcd may lack anything.
finish_join() { return 1; }
# As long as its files are there, kubeadm takes the member out of etcd as well.
clean_join() {
  kubeadm reset -f --cri-socket "$CRI" || true
  rm -rf "$KUBELET" /etc/kubernetes/bootstrap-kubelet.conf /etc/kubernetes/pki \
    /etc/kubernetes/manifests /var/lib/etcd
  K delete node "$NODE" --ignore-not-found || true
  put_pki
}
other_joined() {
  LAST=$(K -n kube-node-lease get lease "$AFTER" -o yaml 2>&1) || return 1
  grep -qE '^ +cse-client/status: "?ready' <<<"$LAST" && return 0
  LAST="it is not ready"
  return 1
}
step_turn() {
  [ -z "$AFTER" ] || until_ok "$T_WAIT" other_joined ||
    die "the control plane $AFTER has not joined after $T_WAIT s: $(last_line "$LAST")"
}
step_pki() { put_pki; }
# The others may hold it; this one is to stand by.
address_taken() { return 1; }
address_here() { return 0; }
step_config() { put /root/.kube/config 600 </etc/kubernetes/admin.conf; }
start
put_discovery
step host
[ -z "${SETTINGS:-}" ] || step settings
step runtime
await_runtime
start_pulls
step pki
step wait
step images
step turn
JOIN=(--discovery-file "$DISCOVERY" --node-name "$NODE" --cri-socket "$CRI"
  --control-plane --apiserver-advertise-address "$IP")
step join
step config
step address
[ -z "${OLD:-}" ] || step upload
all_done
