# shellcheck shell=bash disable=SC2154
# The control plane: kubeadm init with the cluster's own CAs. `put_pki` comes from the data block.
K() { kubectl --kubeconfig /etc/kubernetes/admin.conf --server "https://$IP:6443" --request-timeout=10s "$@"; }
apply() { K apply --server-side --force-conflicts --validate=false -f -; }
api_answers() { port_open "$IP" 6443; }
tell_api() {
  [ -n "$IP" ] && [ -s /etc/kubernetes/admin.conf ] || return 0
  api_answers || return 0
  lease "$@" | apply
}
phase() { kubeadm init phase "$@" "${FLAGS[@]}"; }
# A key whose certificate was not written any more, or an empty kubeconfig, makes kubeadm fail.
# Before etcd's manifest is there, nothing uses them.
put_fresh_pki() {
  [ -e /etc/kubernetes/manifests/etcd.yaml ] || rm -rf /etc/kubernetes/pki \
    /etc/kubernetes/{admin,super-admin,kubelet,controller-manager,scheduler}.conf
  put_pki
}
# While images are pulled: kubeadm takes what is there already, and makes what is not.
step_pki() {
  put_fresh_pki
  if [ -n "$(jobs -pr)" ] && phase certs all --apiserver-cert-extra-sans "$ALT" \
    ${SERVICE_CIDR:+--service-cidr "$SERVICE_CIDR"}; then
    phase kubeconfig all --node-name "$NODE" || true
  fi
}
init() {
  # shellcheck disable=SC2086
  kubeadm init "${FLAGS[@]}" --apiserver-cert-extra-sans "$ALT" \
    ${POD_CIDR:+--pod-network-cidr "$POD_CIDR"} ${SERVICE_CIDR:+--service-cidr "$SERVICE_CIDR"} \
    ${REPO:+--image-repository "$REPO"} --node-name "$NODE" --cri-socket "$CRI" \
    --skip-token-print "$@"
}
start_over() {
  say "kubeadm reset, then once more"
  kubeadm reset -f --cri-socket "$CRI" || say "kubeadm reset failed"
  rm -rf /var/lib/etcd /etc/kubernetes/pki /etc/kubernetes/manifests
  put_pki
  [ -z "${SNAPSHOT:-}" ] || restore_etcd
}
step_init() {
  local rc=0 own=() m p
  if marked init.failed; then
    start_over
    rm -f "$D/init.failed"
  elif marked init.started; then
    # Power was lost: these traces are ours, and kubeadm takes what is whole of them.
    for m in kube-apiserver kube-controller-manager kube-scheduler etcd; do
      own+=("FileAvailable--etc-kubernetes-manifests-$m.yaml")
    done
    for p in 6443 10250 10251 10252 10257 10259 2379 2380; do own+=("Port-$p"); done
    p=$(IFS=,; echo "${own[*]}")
    own=("--ignore-preflight-errors=DirAvailable--var-lib-etcd,$p")
    put_fresh_pki
  fi
  mark init.started
  init ${own[@]+"${own[@]}"} || rc=$?
  if [ "$rc" != 0 ]; then
    mark init.failed
    start_over
    # From here on workers may join: what power loss cuts now is carried on with.
    rm -f "$D/init.failed"
    sync "$D"
    rc=0
    init || rc=$?
    [ "$rc" = 0 ] || die "kubeadm init failed (rc $rc)"
  fi
}
drop_tokens() {
  local s list
  list=$(K -n kube-system get secrets -o name) || return 1
  for s in $list; do
    case $s in secret/bootstrap-token-*) K -n kube-system delete "$s" --ignore-not-found || return 1 ;; esac
  done
}
grant() {
  apply <<'E'
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: "cse:cluster-admins"}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}
subjects:
- {apiGroup: rbac.authorization.k8s.io, kind: Group, name: "cse:cluster-admins"}
E
}
step_rbac() {
  until_ok 120 grant || die "cannot write the cluster's roles"
  until_ok 60 drop_tokens || die "cannot delete kubeadm's token"
  put /root/.kube/config 600 </etc/kubernetes/admin.conf
  report running 0 ""
}
# The template's own manifest: where we were told, or the names that templates use under /root.
find_manifest() {
  local f c=
  if [ -n "$CNI_MANIFEST" ]; then
    [ -s "$CNI_MANIFEST" ] || die "the CNI manifest $CNI_MANIFEST is not in this template"
    MANIFEST=$CNI_MANIFEST
    return 0
  fi
  shopt -s nullglob nocaseglob
  for c in ${CNI:-weave antrea calico flannel cilium} cni; do
    for f in "/root/$c"*.y*ml; do
      [ -s "$f" ] || continue
      # The version as it stands in file names: 2.6.5 or 2-6-5.
      case $f in *"$CNI_VERSION"* | *"${CNI_VERSION//./-}"*) MANIFEST=$f; break 2 ;; esac
      MANIFEST=${MANIFEST:-$f}
    done
    [ -z "$MANIFEST" ] || break
  done
  shopt -u nullglob nocaseglob
  [ -n "$MANIFEST" ] || die "no CNI manifest for ${CNI:-any known network} under /root in this template"
}
# Flannel, Calico and Cilium may have the pod network in their manifest; Antrea asks Kubernetes.
set_pods() {
  sed -E "s#(\"Network\": *\")[0-9./]+#\1$CNI_CIDR#
    s#^( *cluster-pool-ipv4-cidr:).*#\1 \"$CNI_CIDR\"#
    /^ *- name: CALICO_IPV4POOL_CIDR/{n;s#value:.*#value: \"$CNI_CIDR\"#}" "$1"
}
apply_cni() { K apply --validate=false -f "$MANIFEST"; }
step_network() {
  MANIFEST=
  find_manifest
  say "CNI manifest $MANIFEST"
  if [ -n "${CNI_CIDR:-}" ]; then
    set_pods "$MANIFEST" >"$D/cni.yaml"
    MANIFEST=$D/cni.yaml
  fi
  until_ok 120 apply_cni || die "cannot apply the CNI manifest $MANIFEST"
}
start
step host
[ -z "${SETTINGS:-}" ] || step settings
step runtime
await_runtime
start_pulls
[ -z "${VIP:-}" ] || step address
ALT=$IP,127.0.0.1${SANS:+,$SANS}${ENDPOINT:+,$ENDPOINT}
FLAGS=(--kubernetes-version "$KVER" --apiserver-advertise-address "$IP"
  --control-plane-endpoint "${ENDPOINT:-$IP}:6443")
[ -z "${TKG:-}" ] || use_config
step pki
step images
[ -z "${SNAPSHOT:-}" ] || { step snapshot; step restore; }
step init
step rbac
step network
all_done
