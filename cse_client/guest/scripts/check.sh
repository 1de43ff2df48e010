# shellcheck shell=bash disable=SC2154,SC2034,SC2317
# A look at a template from inside: reports what nodes need, changes nothing and ends.
# KUBE is the version that the template is registered with.
tell_api() { :; }
DOCKER=
CRI=
missing() { ! command -v "$1" >/dev/null; }
# line LEVEL SUBJECT FINDING [CURE]
line() { printf '%s|%s|%s|%s\n' "$1" "$2" "$3" "${4:-}" >>"$D/check"; }
check_system() {
  local id detail
  # shellcheck disable=SC1091
  id=$(. /etc/os-release && echo "$ID-${VERSION_ID:-}")
  line ok "Operating system" "$id"
  line ok "Custom scripts" "allowed"
  if missing cloud-init; then
    line ok "cloud-init" "not installed"
  else
    detail=$(cloud-init status --long 2>/dev/null | sed -nE 's/^detail: *(.+)/\1/p' | head -n 1)
    line ok "cloud-init" "installed${detail:+ ($detail)}"
  fi
  if compgen -G '/dev/disk/by-id/wwn-*' >/dev/null; then
    line ok "disk.EnableUUID" "disks have ids"
  else
    line warning "disk.EnableUUID" "disks have no ids" "Only the CSI driver for named disks needs them."
  fi
}
check_kubernetes() {
  if missing kubeadm; then
    line error Kubernetes "kubeadm is not installed" "Build a template from this one with template build."
    return 0
  fi
  look_around
  if [ -z "$KUBE" ] || [[ $KVER == "v$KUBE" || $KVER == "v$KUBE."* ]]; then
    line ok kubeadm "${KVER#v}"
  else
    line error kubeadm "${KVER#v}, and the template is registered with $KUBE" "Register it again with --kubernetes-version ${KVER#v}."
  fi
  if systemctl cat kubelet.service >/dev/null 2>&1; then
    line ok kubelet "installed"
  else
    line error kubelet "there is no kubelet service" "Install the kubelet in the template."
  fi
  check_runtime
  check_cni
}
check_runtime() {
  local image all=0 there=0
  LAST=
  if ! until_ok 60 runtime_up; then
    line error "Container runtime" "does not answer: $(last_line "$LAST")" "Repair ${CRI##*/} in the template."
    return 0
  fi
  image=${CRI##*/}
  [ -z "$DOCKER" ] || image=docker
  line ok "Container runtime" "${image%.sock}"
  for image in $(images_wanted 2>/dev/null); do
    all=$((all + 1))
    ! have_image "$image" || there=$((there + 1))
  done
  if [ "$all" = "$there" ]; then
    line ok "Images" "all $all images of kubeadm are in the template"
  else
    line warning "Images" "$there of $all images of kubeadm are in the template" "Nodes pull the others; their network needs access to the registry."
  fi
}
check_cni() {
  local found=${CNI_MANIFEST:-}
  [ -n "$found" ] || found=$(compgen -G '/root/*.y*ml' | head -n 1) || true
  if [ -n "$found" ] && [ -s "$found" ]; then
    line ok "CNI manifest" "$found"
  else
    line error "CNI manifest" "${found:-none under /root}" "Register the template with --cni-manifest, or put one into it."
  fi
}
say "checking a template"
step host
rm -f "$D/check"
PHASE=check
check_system
check_kubernetes
PHASE="done"
tell_vm ready 0 "$(base64 -w0 <"$D/check")"
say "done"
trap - ERR EXIT
exit 0
