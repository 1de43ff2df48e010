# shellcheck shell=bash disable=SC2154
# A template of Tanzu Kubernetes Grid: VMware's build of Kubernetes, whose images are in the template
# under names that kubeadm does not ask for by itself.
TKG_FILE=$D/kubeadm.yaml
# At the next boot, cloud-init would find the source that OVF offers before that of VMware.
if [ -d /etc/cloud/cloud.cfg.d ]; then
  put /etc/cloud/cloud.cfg.d/99-zz-cse.cfg 644 <<<'datasource_list: [ VMware, None ]'
fi
# tkg_image NAME FIELD: 1, its repository, or 2, its tag, as the runtime has it.
tkg_image() { sed -nE "s#^([^ ]+)/$1 +([^ ]+).*#\\$2#p" <<<"$HERE" | head -n 1; }
# What the client knows of the version is for a runtime that does not tell.
tkg_config() {
  local v=v1beta3 repo etcd dns HERE
  HERE=$(cri images 2>/dev/null) || HERE=
  repo=${REPO:-$(tkg_image kube-proxy 1)}
  etcd=$(tkg_image etcd 2)
  dns=$(tkg_image coredns 2)
  [ "$MINOR" -ge 22 ] || v=v1beta2
  cat <<E
apiVersion: kubeadm.k8s.io/$v
kind: ClusterConfiguration
kubernetesVersion: $KVER
imageRepository: ${repo:-$TKG_REPO}
E
  etcd=${etcd:-$TKG_ETCD}
  dns=${dns:-$TKG_DNS}
  [ -z "$etcd" ] || echo "etcd: {local: {imageTag: $etcd}}"
  [ -z "$dns" ] || echo "dns: {imageTag: $dns}"
}
images_wanted() {
  tkg_config | put "$TKG_FILE.list" 600
  kubeadm config images list --config "$TKG_FILE.list"
}
# kubeadm takes either a configuration or flags.
use_config() {
  local v=v1beta3
  [ "$MINOR" -ge 22 ] || v=v1beta2
  {
    tkg_config
    cat <<E
controlPlaneEndpoint: "${ENDPOINT:-$IP}:6443"
apiServer: {certSANs: ["${ALT//,/\", \"}"]}
networking: {${POD_CIDR:+podSubnet: "$POD_CIDR", }serviceSubnet: "${SERVICE_CIDR:-10.96.0.0/12}"}
---
apiVersion: kubeadm.k8s.io/$v
kind: InitConfiguration
localAPIEndpoint: {advertiseAddress: "$IP"}
nodeRegistration: {name: "$NODE", criSocket: "$CRI"}
E
  } | put "$TKG_FILE" 600
  # shellcheck disable=SC2317 # called by the control plane's steps
  phase() { kubeadm init phase "$1" "$2" --config "$TKG_FILE"; }
  # shellcheck disable=SC2317
  init() { kubeadm init --config "$TKG_FILE" --skip-token-print "$@"; }
}
