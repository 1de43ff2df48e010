# shellcheck shell=bash disable=SC2154
# The last new control plane of an upgrade does for the cluster what `kubeadm upgrade apply` does after the
# control planes (kubernetes:cmd/kubeadm/app/cmd/upgrade/apply.go): it stores the configurations of kubeadm and
# of the kubelets as this release writes them, and makes CoreDNS and kube-proxy those of this release. That is
# done by the same functions, as phases of init. OLD are the control planes that leave: like kubeadm, it waits
# until they are gone, because a kube-proxy may not be newer than an API server that it talks to.
A() { kubectl --kubeconfig /etc/kubernetes/admin.conf --server "https://$IP:6443" --request-timeout=10s "$@"; }
old_gone() {
  local nodes one
  nodes=$(A get nodes -o name) || return 1
  for one in $OLD; do
    grep -qxF "node/$one" <<<"$nodes" && return 1
  done
  return 0
}
stored() { A -n kube-system get configmap "$1" -o "jsonpath={.data.$2}"; }
configuration() {
  local cluster
  cluster=$(stored kubeadm-config ClusterConfiguration) || return 1
  cat <<E
apiVersion: $(sed -nE 's/^apiVersion: *//p' <<<"$cluster")
kind: InitConfiguration
localAPIEndpoint: {advertiseAddress: "$IP"}
nodeRegistration: {name: "$NODE", criSocket: "$CRI"}
---
$cluster
---
E
  stored kubelet-config kubelet || return 1
  printf '\n---\n'
  stored kube-proxy 'config\.conf'
}
upload() {
  configuration >"$D/upload.yaml" || return 1
  LAST=$(kubeadm init phase upload-config all --config "$D/upload.yaml" 2>&1 &&
    kubeadm init phase addon all --config "$D/upload.yaml" 2>&1) || return 1
}
step_upload() {
  report running 0 ""
  until_ok 604800 old_gone || die "the control planes $OLD are still there"
  until_ok 60 upload || die "kubeadm cannot store its configuration: $(last_line "$LAST")"
  rm -f "$D/upload.yaml"
}
