# shellcheck shell=bash disable=SC2154,SC2034,SC2001,SC2317
# A new template: installs what nodes need. KUBE is the version (1.37 or 1.37.2), SOURCE the package
# source up to /vX.Y/deb/, NEWEST the minor number of a release that surely exists.
tell_api() { :; }
export DEBIAN_FRONTEND=noninteractive
DOCKER=
CRI=unix:///run/containerd/containerd.sock
RELEASE=$(cut -d. -f1,2 <<<"$KUBE")
[ -z "${HTTP_P:-}" ] || export http_proxy=$HTTP_P
[ -z "${HTTPS_P:-}" ] || export https_proxy=$HTTPS_P
[ -z "${NO_P:-}" ] || export no_proxy=$NO_P
# Ubuntu's own updates hold apt's locks for minutes after the first boot.
updates_done() {
  [[ $(systemctl is-active apt-daily.service apt-daily-upgrade.service 2>&1) != *activating* ]]
}
step_first_boot() {
  local one
  missing cloud-init || timeout -k 9 600 cloud-init status --wait || say "cloud-init has a problem"
  for one in apt-daily.timer apt-daily-upgrade.timer unattended-upgrades.service; do
    systemctl disable --now "$one" || true
  done
  until_ok 600 updates_done || say "the system's own updates are still running"
}
# Cloud images do this at their first boot; installed systems, above all with LVM, do not.
grow_disk() {
  local disk part root
  root=$(findmnt -no SOURCE /)
  part=$root
  [[ $root != /dev/mapper/* ]] ||
    part=$(pvs --noheadings -o pv_name | tr -d ' ' | tail -n 1)
  disk=/dev/$(lsblk -no PKNAME "$part" | head -n 1)
  growpart "$disk" "${part##*[a-z]}" || true
  if [ "$part" != "$root" ]; then
    pvresize "$part" && lvextend -r -l +100%FREE "$root"
  else
    resize2fs "$root" || xfs_growfs /
  fi
}
step_disk() {
  local free
  [ -z "$GROW" ] || grow_disk || say "the root file system was not enlarged"
  free=$(df -Pm /var/lib | sed -nE '2s/^[^ ]+ +[0-9]+ +[0-9]+ +([0-9]+) .*/\1/p')
  [ "${free:-$NEED_MB}" -ge "$NEED_MB" ] ||
    die "the disk is too small: /var/lib has $free MB free, and $NEED_MB MB are required"
}
step_system() {
  local id
  ! missing apt-get || die "this template has no apt: only Ubuntu and Debian are supported"
  # shellcheck disable=SC1091
  id=$(. /etc/os-release && echo "$ID-${VERSION_ID:-}")
  gi os "$id"
  # kubelet refuses cgroup v1 from this release on (failCgroupV1)
  [ "${RELEASE#1.}" -lt 35 ] || [ ! -d /sys/fs/cgroup/memory ] ||
    die "Kubernetes $RELEASE requires cgroup v2, and $id uses cgroup v1"
  [ -z "${HTTP_P:-}${HTTPS_P:-}" ] || set_proxy
  [ -z "${CA:-}" ] || { put_ca; update-ca-certificates; }
  if missing curl; then
    apt_update || true
    apt install --no-install-recommends curl ca-certificates ||
      die "apt cannot install curl: $(apt_says)"
  fi
}
step_packages() {
  local v more=() runtime
  v=$(cat "$D/version")
  say "Kubernetes $v"
  ! missing containerd || more=(containerd)
  apt install --no-install-recommends "kubeadm=$v" "kubelet=$v" "kubectl=$v" cri-tools keepalived \
    conntrack socat ethtool iptables ${more[@]+"${more[@]}"} ||
    die "apt cannot install the packages: $(apt_says)"
  apt-mark hold kubeadm kubelet kubectl
  systemctl disable --now keepalived.service || true
  look_around
  runtime=$(containerd --version) || die "containerd does not run"
  # kubernetes/kubernetes: cmd/kubelet/app/server.go, CRILosingSupport
  if [ "$MINOR" -ge 38 ] && [[ $runtime =~ [[:space:]]v?1\. ]]; then
    die "Kubernetes $RELEASE requires containerd 2, and this system has an older one: $runtime"
  fi
  gi kubernetes "${KVER#v}"
}
step_containerd() {
  local pause toml=/etc/containerd/config.toml
  pause=$(kubeadm config images list --kubernetes-version "$KVER" | grep /pause:)
  containerd config default >"$D/config"
  # The image of sandboxes is sandbox_image up to containerd 1, and pinned_images.sandbox from 2 on.
  # CNI plugins install themselves into /opt/cni/bin; Debian's containerd looks elsewhere.
  sed -E "s#^( *)SystemdCgroup = false#\1SystemdCgroup = true#
    s#^( *bin_dir = ).*#\1\"/opt/cni/bin\"#
    s#^( *bin_dirs = ).*#\1[\"/opt/cni/bin\"]#
    s#^( *sandbox(_image)? = )['\"].*/pause:.*#\1\"$pause\"#" "$D/config" | put "$toml" 644
  grep -q 'SystemdCgroup = true' "$toml" || die "containerd's configuration has no SystemdCgroup"
  put /etc/crictl.yaml 644 <<E
runtime-endpoint: $CRI
image-endpoint: $CRI
E
  [ -z "${MIRRORS:-}" ] || set_registries
  put /etc/sysctl.d/98-cse-node.conf 644 <<'E'
fs.inotify.max_user_instances = 8192
fs.inotify.max_user_watches = 524288
vm.overcommit_memory = 1
kernel.panic = 10
kernel.panic_on_oops = 1
E
  systemctl daemon-reload
  systemctl enable containerd.service || true
  systemctl restart containerd.service || die "containerd does not start"
}
# Cilium publishes no manifest but a chart, which helm turns into one.
cilium_manifest() {
  local helm=$D/helm
  mkdir -p "$helm"
  get "https://get.helm.sh/helm-v$HELM-linux-amd64.tar.gz" "$helm/helm.tgz" ||
    die "cannot download helm $HELM: $(last_line "$LAST")"
  get "$CNI_URL" "$helm/chart.tgz" || die "cannot download $CNI_URL: $(last_line "$LAST")"
  tar -xzf "$helm/helm.tgz" -C "$helm" --strip-components=1 || die "cannot unpack helm $HELM"
  "$helm/helm" template cilium "$helm/chart.tgz" --namespace kube-system --include-crds \
    --set ipam.mode=kubernetes >"$D/cni" || die "helm cannot render Cilium's manifest"
}
step_cni() {
  if [ -z "$CNI_URL" ]; then
    put_manifest
  elif [ -n "$HELM" ]; then
    cilium_manifest
  else
    get "$CNI_URL" "$D/cni" || die "there is no CNI manifest at $CNI_URL: $(last_line "$LAST")"
  fi
  grep -qE '^kind:' "$D/cni" || die "the CNI manifest is not a Kubernetes manifest"
  put "$CNI_MANIFEST" 644 <"$D/cni"
}
manifest_images() {
  sed -nE "s/^[- ]*image: *[\"']?([^\"' ]+).*/\1/p" "$CNI_MANIFEST" | sort -u
}
say "building a template with Kubernetes $KUBE"
step host
step first_boot
step disk
step system
step source
step packages
look_around
CRI=unix:///run/containerd/containerd.sock
step runtime
step containerd
await_runtime
step cni
MORE=$(manifest_images)
start_pulls
step images
PHASE=seal
say "phase seal"
gi phase seal
seal
trap - ERR EXIT USR1
exec >/dev/null 2>&1
PHASE="done"
tell_vm ready 0 ""
# Whoever sees this report shuts the VM down; the others see that it is off. It is taken back, for
# VCD may keep it in the template; so an empty one with this id is that of a finished VM.
trap 'gi status; gi phase; exit 0' TERM
sleep 60 &
wait $! || true
gi status
gi phase
shutdown -h now
exit 0
