# shellcheck shell=bash disable=SC2154,SC2317
# Upgrades the only control plane of a cluster where it is, once for each TASK, after packages.sh.
# KUBE is the version, SOURCE where its packages are. Whoever waits outside may throw all of it away
# by reverting to a snapshot of the VM, so nothing is undone here.
# Sources: kubernetes.io, "Upgrading kubeadm clusters"; kubernetes: cmd/kubeadm/app/cmd/upgrade.
IP=$(cat /var/lib/cse-bootstrap/ip)
K() { kubectl --kubeconfig /etc/kubernetes/admin.conf --server "https://$IP:6443" --request-timeout=10s "$@"; }
tell_api() {
  K -n kube-node-lease annotate lease "$NODE" --overwrite "cse-client/task-id=$CSE_ID" \
    "cse-client/task-phase=$PHASE" "cse-client/task-status=$1" "cse-client/task-rc=$2" \
    "cse-client/task-error=$3"
}
# kubeadm may not see the way out: it would give it to the control plane's pods.
use_proxy() {
  local file=/etc/systemd/system/containerd.service.d/cse-proxy.conf
  [ -s "$file" ] || return 0
  eval "$(sed -nE 's/^Environment=/export /p' "$file")"
  export http_proxy=${HTTP_PROXY:-} https_proxy=${HTTPS_PROXY:-} no_proxy=${NO_PROXY:-}
}
no_proxy() { unset HTTP_PROXY HTTPS_PROXY NO_PROXY http_proxy https_proxy no_proxy; }
ONLY=
packages() {
  local version
  version=$(cat "$D/version")
  # shellcheck disable=SC2086
  apt install --allow-change-held-packages $ONLY "${@/%/=$version}" ||
    die "apt cannot install $* $version: $(apt_says)"
}
# While the old API server comes up.
step_download() {
  ONLY=--download-only
  packages kubeadm kubelet kubectl
  ONLY=
}
step_kubeadm() { packages kubeadm; }
ready() { K get node "$NODE" >/dev/null 2>&1; }
step_apply() {
  local rc=0
  until_ok 300 ready || die "the API server does not answer after the restart of the VM"
  kubeadm upgrade apply "v$KUBE" --yes || rc=$?
  [ "$rc" = 0 ] || die "kubeadm upgrade apply failed (rc $rc)"
  [ ! -s /root/.kube/config ] || put /root/.kube/config 600 </etc/kubernetes/admin.conf
}
is_new() { [ "$(K get node "$NODE" -o 'jsonpath={.status.nodeInfo.kubeletVersion}')" = "v$KUBE" ]; }
step_kubelet() {
  packages kubelet kubectl
  apt-mark hold kubeadm kubelet kubectl
  systemctl daemon-reload
  systemctl restart kubelet.service
  until_ok 300 is_new || die "the kubelet of the new version does not report to the API server"
}
say "upgrading $NODE to Kubernetes $KUBE"
use_proxy
step source
step download
no_proxy
step kubeadm
step apply
step kubelet
PHASE="done"
mark "done"
say "upgraded"
tell_vm ready 0 ""
tell_api ready 0 "" || say "no report to the API"
systemctl disable cse-task.service || true
rm -f "$D/run.sh"
trap - ERR EXIT
exit 0
