# shellcheck shell=bash disable=SC2154,SC2034
# What both kinds of node do: prepare the host and its runtime, after base.sh.
# Set before this text: MINTED SSH_KEY T_HOST T_RUNTIME T_IMAGES T_WAIT and the like.
PULLERS=
P=/run/cse/pulls
# The report lies in the node's own Lease, which the node authorizer and NodeRestriction keep every
# other node from. The spec is as a kubelet fills it in: one that finds a Lease only renews it.
lease() {
  cat <<E
apiVersion: coordination.k8s.io/v1
kind: Lease
metadata:
  name: $NODE
  namespace: kube-node-lease
  annotations: {cse-client/phase: "$PHASE", cse-client/status: "$1", cse-client/rc: "$2", cse-client/error: "$3"}
spec: {holderIdentity: "$NODE", leaseDurationSeconds: 40, renewTime: "$(date -u +%FT%T).000000Z"}
E
}
# The addresses of the network card that holds the default route; of every card of the machine
# itself where there is none.
addresses() {
  local dev='' line rest
  line=$(ip -4 -o route show default 2>/dev/null | head -n 1) || true
  rest=${line##* dev }
  [ -n "$line" ] && [ "$rest" != "$line" ] && dev=${rest%% *}
  # shellcheck disable=SC2086
  ip -4 -o addr show ${dev:+dev $dev} scope global 2>/dev/null |
    grep -Ev '^[0-9]+: (docker|weave|cni|flannel|cali|antrea|kube|veth|lxc|vxlan)' |
    grep -v ' secondary ' | sed -nE 's/.* inet ([0-9.]+).*/\1/p'
}
find_ip() {
  local all env
  all=$(addresses) || true
  [ -n "$all" ] || return 1
  IP=${all%%$'\n'*}
  [ "$IP" = "$all" ] && return 0
  # Several: VCD says which one it gave to the first network card.
  env=$(vmtoolsd --cmd 'info-get guestinfo.ovfEnv' 2>/dev/null |
    sed -nE 's/.*vCloud_ip_0"[^>]*value="([0-9.]+)".*/\1/p' | head -n 1) || true
  [ -n "$env" ] && grep -qxF "$env" <<<"$all" && IP=$env
  return 0
}
step_host() {
  until_ok "$T_HOST" find_ip || die "no address on a network card after $T_HOST s"
  say "address $IP"
  put "$D/ip" 600 <<<"$IP"
  if [ "$(date -u +%s)" -lt "$MINTED" ]; then
    say "setting the clock"
    date -u -s "@$MINTED" >/dev/null || say "date failed"
  fi
  if [ "$(hostname)" != "$NODE" ]; then
    hostname "$NODE" || say "hostname failed"
    echo "$NODE" >/etc/hostname
  fi
  if ! grep -qE "^${IP}[[:space:]]+${NODE}\$" /etc/hosts; then
    { sed -E "/[[:space:]]$NODE\$/d" /etc/hosts; echo "$IP $NODE"; } >"$D/hosts"
    cat "$D/hosts" >/etc/hosts
  fi
  if [ -n "$SSH_KEY" ] && ! grep -qxF "$SSH_KEY" /root/.ssh/authorized_keys 2>/dev/null; then
    mkdir -p /root/.ssh
    chmod 700 /root/.ssh
    (umask 077; printf '%s\n' "$SSH_KEY" >>/root/.ssh/authorized_keys)
  fi
}

# Sets MINOR, KVER, CRI and DOCKER; cheap, so it runs at every start.
look_around() {
  KVER=$(kubeadm version -o short) || die "kubeadm does not run: is this a Kubernetes template?"
  MINOR=${KVER#v1.}
  MINOR=${MINOR%%.*}
  DOCKER=
  CRI=
  local s
  if [ "$MINOR" -lt 24 ] && command -v docker >/dev/null; then
    DOCKER=1
    CRI=/var/run/dockershim.sock
    return 0
  fi
  # After a power loss another runtime's socket may be there first.
  [ ! -s "$D/cri" ] || { CRI=$(cat "$D/cri"); return 0; }
  for s in /run/containerd/containerd.sock /run/crio/crio.sock /run/cri-dockerd.sock; do
    [ -e "$s" ] && { CRI=$s; break; }
  done
  CRI=${CRI:-/run/containerd/containerd.sock}
  [ "$MINOR" -lt 24 ] || CRI=unix://$CRI
}
cri() { crictl -r "unix://${CRI#unix://}" "$@"; }
runtime_up() {
  look_around
  if [ -n "$DOCKER" ]; then
    LAST=$(docker info 2>&1 >/dev/null)
  elif command -v crictl >/dev/null; then
    LAST=$(cri info 2>&1 >/dev/null)
  else
    LAST="no socket ${CRI#unix://}"
    [ -e "${CRI#unix://}" ]
  fi
}
step_runtime() {
  swapoff -a || say "swapoff failed"
  sed -i -E '/^[^#].*[[:space:]]swap[[:space:]]/s/^/#/' /etc/fstab 2>/dev/null || true
  mkdir -p /etc/modules-load.d /etc/sysctl.d
  printf 'overlay\nbr_netfilter\n' >/etc/modules-load.d/cse.conf
  printf 'net.bridge.bridge-nf-call-iptables = 1\nnet.ipv4.ip_forward = 1\n' \
    >/etc/sysctl.d/99-cse.conf
  modprobe -a overlay br_netfilter || say "modprobe failed"
  # kubeadm's own checks are the judge of these.
  sysctl -q -p /etc/sysctl.d/99-cse.conf || say "sysctl failed"
  systemctl enable kubelet.service || die "there is no kubelet service in this template"
}
# Not a step: after a power loss the runtime has to be waited for once more.
await_runtime() {
  LAST=
  until_ok "$T_RUNTIME" runtime_up ||
    die "the container runtime does not answer after $T_RUNTIME s: $(last_line "$LAST")"
  [ -s "$D/cri" ] || put "$D/cri" 600 <<<"$CRI"
}

have_image() {
  if [ -n "$DOCKER" ]; then docker image inspect "$1"; else cri inspecti "$1"; fi >/dev/null 2>&1
}
pull_image() {
  local client=(docker)
  [ -n "$DOCKER" ] || client=(crictl -r "unix://${CRI#unix://}")
  timeout -k 9 $((T_IMAGES / 3)) "${client[@]}" pull "$1"
}
# Names what cannot be reached, once a pull has failed.
no_way_out() {
  local host=${1%%/*} port=443 proxy=
  [ -z "${SETTINGS:-}" ] || ! other_way "$1" || return 0
  [ "$host" != "${host%:*}" ] && { port=${host##*:}; host=${host%:*}; }
  if [[ $host == *[a-z]* ]] && ! getent hosts "$host" >/dev/null 2>&1; then
    echo "cannot reach $proxy$host: its name does not resolve (image $1)"
  elif ! port_open "$host" "$port"; then
    echo "cannot reach $proxy$host port $port (image $1): the network has no way out to it"
  else
    echo "cannot pull $1 although $proxy$host port $port answers"
  fi
}
# What the registry must give before kubeadm starts is pulled beside the next steps, a few images at
# a time: each image is the first puller's that makes its folder. Three attempts share T_IMAGES
# seconds, which are for each image, because a slow line is no failure.
puller() {
  local image n=0 i rc
  for image in $IMAGES; do
    n=$((n + 1))
    mkdir "$P/$n" 2>/dev/null || continue
    for i in 1 2 3; do
      rc=0
      have_image "$image" || pull_image "$image" >"$P/$n/log" 2>&1 || rc=$?
      [ "$rc" != 0 ] || break
      say "pulling $image: rc $rc: $(tail -n 1 "$P/$n/log")"
      [ "$i" = 3 ] || sleep $((i * 5))
    done
    [ "$rc" = 0 ] || {
      no_way_out "$image" >>"$P/failed"
      kill -USR1 $$
      return 1
    }
    echo >>"$P/done"
    [ ! -e "$P/awaited" ] || gi phase "images ($(wc -l <"$P/done") of $(wc -w <<<"$IMAGES"))"
  done
}
# A failed pull ends whatever the script is doing: for a worker that may be a long wait.
pull_failed() {
  PHASE=images
  die "$(head -n 1 "$P/failed")"
}
images_wanted() {
  kubeadm config images list --kubernetes-version "$KVER" ${REPO:+--image-repository "$REPO"}
}
# start_pulls [PATTERN]: of the images that kubeadm lists, those that match.
start_pulls() {
  ! marked ok.images || return 0
  PHASE=images
  rm -rf "$P"
  mkdir "$P"
  IMAGES=$(images_wanted | grep -E "${1:-.}")$'\n'${MORE:-}
  trap pull_failed USR1
  local n
  for n in 1 2 3 4; do
    puller &
    PULLERS+=" $!"
  done
}
step_images() {
  local one
  : >"$P/awaited"
  for one in $PULLERS; do
    wait "$one" || pull_failed
  done
}
clean_up() {
  # The tools are long done with their files by now.
  systemctl start --no-block cse-scrub.service || true
  rm -rf /run/cse/discovery.conf /root/.customization
  vmtoolsd --cmd "info-set guestinfo.ovfEnv ' '" >/dev/null 2>&1 || true
}
final_report() { api_answers && tell_api ready 0 "" >/dev/null 2>&1; }
all_done() {
  PHASE="done"
  put "$D/done" 600 <<<"$CSE_ID"
  clean_up
  say "done"
  console "done"
  # After a power loss this comes before the API is back, or while it still refuses everything; and
  # it is the report that stays.
  until_ok 120 final_report || say "no report to the API"
  tell_vm ready 0 ""
  # For as long as this file is here the unit runs at every boot, so it must stay enabled till then.
  rm -f "$D/run.sh" "$D/hosts" "$D/snapshot.db"
  sync "$D"
  systemctl disable cse-bootstrap.service || true
}
start() {
  say "bootstrap of $NODE in cluster $CLUSTER"
  look_around
  [ ! -e "$D/ip" ] || IP=$(cat "$D/ip")
}
