# shellcheck shell=bash disable=SC2154,SC2001
# The packages of a Kubernetes release: KUBE is the version (1.37 or 1.37.2), SOURCE the package
# source up to /vX.Y/deb/, NEWEST the minor number of a release that surely exists, T_APT the seconds
# that each command may take.
export DEBIAN_FRONTEND=noninteractive
RELEASE=$(cut -d. -f1,2 <<<"$KUBE")
missing() { ! command -v "$1" >/dev/null; }
apt() {
  local rc=0
  timeout -k 9 "$T_APT" apt-get -q -y -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 \
    -o Dpkg::Options::=--force-confold "$@" >"$D/apt.log" 2>&1 || rc=$?
  cat "$D/apt.log"
  return "$rc"
}
# The lists of packages have a lock of their own, which apt does not wait for.
apt_update() {
  local n
  for n in 1 2 3 4 5 6; do
    : >"$D/update"
    ! apt -o APT::Update::Error-Mode=any update || return 0
    cat "$D/apt.log" >"$D/update"
    grep -q 'Could not get lock' "$D/apt.log" || return 1
    sleep 20
  done
  return 1
}
# What apt complains of first is the cause; the rest follows from it.
apt_says() {
  local file
  for file in "$D/update" "$D/apt.log"; do
    grep -m 1 -E '^(E|W|Err):' "$file" | cut -c1-250 && return 0
  done
  tail -n 1 "$D/apt.log"
}
# get URL FILE: returns 22 for what the server does not have, and names whom it cannot reach.
get() {
  local rc=0 host=${1#*://} by=
  host=${host%%/*}
  LAST=$(curl -fsSL --connect-timeout 20 --max-time 300 --retry 2 -o "$2" "$1" 2>&1) || rc=$?
  [ -z "${https_proxy:-}" ] || by=" through the proxy ${https_proxy#*://}"
  case $rc in
    0 | 22) return "$rc" ;;
    6) die "cannot reach $host$by: its name does not resolve" ;;
    7 | 28) die "cannot reach $host$by: the network has no way out to it" ;;
    60 | 77) die "cannot reach $host$by: its certificate is not trusted in this template" ;;
  esac
  die "cannot reach $host$by: $(last_line "$LAST")"
}
# Of a release that the source does not have: which is the newest that it has?
newest_there() {
  local n
  for ((n = NEWEST + 3; n > NEWEST - 12; n--)); do
    if curl -fsSL --max-time 20 -o /dev/null "$SOURCE/v1.$n/deb/Release.key" 2>/dev/null; then
      echo "; the newest one that it has is 1.$n"
      return 0
    fi
  done
}
step_source() {
  local url=$SOURCE/v$RELEASE/deb key=/etc/apt/keyrings/kubernetes-apt-keyring.asc
  local have one found=
  get "$url/Release.key" "$D/key" ||
    die "the package source $SOURCE has no Kubernetes $RELEASE$(newest_there)"
  put "$key" 644 <"$D/key"
  rm -f /etc/apt/sources.list.d/kubernetes.*
  put /etc/apt/sources.list.d/kubernetes.list 644 <<<"deb [signed-by=$key] $url/ /"
  apt_update || true
  have=$(apt-cache madison kubeadm | sed -nE 's/^ *kubeadm *\| *([0-9][^ ]*) .*/\1/p' | sort -uV)
  [ -n "$have" ] || die "apt finds no kubeadm in $url: $(apt_says)"
  for one in $have; do
    case $one in "$KUBE"-* | "$KUBE".*) found=$one ;; esac
  done
  have=$(sed 's/-.*//' <<<"$have" | sort -ruV | head -n 12 | paste -sd ' ')
  [ -n "$found" ] || die "the package source $SOURCE has no Kubernetes $KUBE; it has $have"
  put "$D/version" 600 <<<"$found"
}
