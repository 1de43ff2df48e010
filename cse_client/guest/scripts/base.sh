# shellcheck shell=bash disable=SC2034,SC2154
# What every script does: report, walk steps once each. Set before this text: NODE CSE_ID, and TASK
# by what a node does later (see later.py), which has a folder and a report of its own.
set -Eeuo pipefail
export HOME=/root LC_ALL=C
D=/var/lib/cse-bootstrap${TASK:+/$TASK}
LOG=/var/log/cse-bootstrap.log
PHASE=start
WHY=
IP=
LAST=
umask 077
mkdir -p "$D" /run/cse
touch "$LOG"
chmod 600 "$LOG"
# The log is that of the node: a task reports its own lines only, those of all its boots.
OWN=1
[ -z "${TASK:-}" ] || { [ -s "$D/own" ] || echo $(($(wc -c <"$LOG") + 1)) >"$D/own"; OWN=$(cat "$D/own"); }
exec >>"$LOG" 2>&1 </dev/null
umask 022

say() { TZ=UTC printf '%(%FT%TZ)T %s\n' -1 "$*"; }
console() { echo "cse-bootstrap: $NODE: $1" >/dev/tty1 || true; } 2>/dev/null
# A value may not be empty: the command wants two words.
gi() { vmtoolsd --cmd "info-set guestinfo.cse.${TASK:+task-}$1 ${2:--}" >/dev/null 2>&1 || true; }
# A template that was captured from a VM brings that VM's last report along: whose is this one?
gi status running
gi id "$CSE_ID"
mark() { : >"$D/$1.part"; sync "$D/$1.part"; mv "$D/$1.part" "$D/$1"; sync "$D"; }
marked() { [ -e "$D/$1" ]; }
# The reason is the last line of the log, so that every way out ends with it.
die() { WHY=$*; exit 1; }
last_line() { local line=${1##*$'\n'}; printf %s "${line:0:250}"; }
# put FILE MODE: stdin becomes FILE, whole or not at all, and never readable by others meanwhile.
put() {
  mkdir -p "${1%/*}"
  rm -f "$1.part"
  install -m 600 /dev/null "$1.part"
  cat >"$1.part"
  chmod "$2" "$1.part"
  sync "$1.part"
  mv "$1.part" "$1"
}
# Tokens and anything long enough to be a key stay in this file, which only root may read.
tail_of_log() {
  tail -c "+$OWN" "$LOG" | tail -n 20 | cut -c1-300 |
    sed -E 's/[a-z0-9]{6}\.[a-z0-9]{16}/(token)/g; s#[A-Za-z0-9+/=_-]{64,}#(data)#g' |
    tail -c 3000 | base64 -w0
}
# report STATUS RC ERROR: through guestinfo, and through the API when it is there.
report() {
  tell_vm "$@"
  tell_api "$@" >/dev/null 2>&1 || say "no report to the API"
}
tell_vm() {
  gi phase "$PHASE"
  gi rc "$2"
  gi error "$3"
  gi status "$1"
}
left() {
  local rc=$1
  trap - ERR EXIT
  trap "" USR1
  set +eu
  # The last line of the log is the reason: nobody may write one after it.
  # shellcheck disable=SC2046
  { kill $(jobs -pr); wait; } 2>/dev/null
  [ "$rc" = 0 ] && exit 0
  # A shutdown in the middle is no failure: the next boot carries on.
  [ "$rc" = 143 ] && { say "stopped in phase $PHASE"; exit 143; }
  say "FAILED in phase $PHASE (rc $rc)${WHY:+: $WHY}"
  console "FAILED in phase $PHASE: $WHY"
  report failed "$rc" "$(tail_of_log)"
  local n
  n=$(cat /run/cse/tries 2>/dev/null)
  n=$((${n:-0} + 1))
  echo "$n" >/run/cse/tries
  if [ "$n" -ge 5 ] || [ -n "${TASK:-}" ]; then
    say "giving up until the next boot"
    exit 3
  fi
  exit 1
}
trap 'exit 143' TERM INT HUP
trap 'r=$?; [ "$BASH_SUBSHELL" = 0 ] && say "line $LINENO: $BASH_COMMAND: rc $r"' ERR
trap 'left $?' EXIT

# step NAME: runs step_NAME unless it was finished before. Never call it under if, && or ||:
# errexit would be off inside.
step() {
  PHASE=$1
  marked "ok.$1" && return 0
  say "phase $1"
  console "$1"
  gi phase "$1"
  gi status running
  "step_$1"
  mark "ok.$1"
}
# until_ok SECONDS COMMAND...: looks every second; counts its own sleeps, because the clock may be
# set meanwhile.
until_ok() {
  local left=$1
  shift
  until "$@"; do
    left=$((left - 1))
    [ "$left" -gt 0 ] || return 1
    sleep 1
  done
}
port_open() { timeout 5 bash -c "exec 3<>/dev/tcp/$1/$2" 2>/dev/null; }
