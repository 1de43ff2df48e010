# shellcheck shell=bash disable=SC2034,SC2154
# A worker: it needs of the registry what every node runs, and joins.
# kubeadm has no flags for what a node registers with: LABELS and TAINTS are its pool's.
join_config() {
  local v=v1beta4 args="[{name: node-labels, value: \"$LABELS\"}]"
  [ "$MINOR" -ge 31 ] || { v=v1beta3 args="{node-labels: \"$LABELS\"}"; }
  [ "$MINOR" -ge 22 ] || v=v1beta2
  cat <<E
apiVersion: kubeadm.k8s.io/$v
kind: JoinConfiguration
discovery: {file: {kubeConfigPath: "$DISCOVERY"}}
nodeRegistration:
  name: "$NODE"
  criSocket: "$CRI"
  kubeletExtraArgs: $args
  taints: [$TAINTS]
E
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
start
put_discovery
step host
[ -z "${SETTINGS:-}" ] || step settings
step runtime
await_runtime
start_pulls '/(kube-proxy|pause):'
step wait
step images
join_config | put /run/cse/join.yaml 600
JOIN=(--config /run/cse/join.yaml)
step join
all_done
