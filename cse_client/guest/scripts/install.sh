# shellcheck shell=bash disable=SC2154
# The payload's first run, inside the customization: put the payload where a unit finds it.
if [ "${1-}" = install ]; then
  set -euo pipefail
  umask 077
  D=/var/lib/cse-bootstrap
  U=/etc/systemd/system
  # A template captured from a node carries that node's marks, and its unit if it was unfinished.
  if [ -e "$D/id" ] && [ "$(cat "$D/id")" != "$CSE_ID" ]; then
    systemctl stop cse-bootstrap.service || true
    rm -f "$D/done" "$D/ip" "$D/cri" "$D"/ok.* "$D"/init.* "$D"/join.* "$D"/address.*
  fi
  printf '%s\n' "$CSE_ID" >"$D/id"
  cat >"$D/scrub.sh" <<'E'
sleep 30
vmtoolsd --cmd "info-set guestinfo.ovfEnv ' '" >/dev/null 2>&1
rm -rf /root/.customization
E
  mkdir -p "$U"
  cat >"$U/cse-scrub.service" <<'E'
[Unit]
Description=Remove what VCD pushes into the guest at power-on
[Service]
ExecStart=/bin/bash /var/lib/cse-bootstrap/scrub.sh
[Install]
WantedBy=multi-user.target
E
  # Not oneshot, because systemd before 244 refuses Restart= there.
  cat >"$U/cse-bootstrap.service" <<'E'
[Unit]
Description=Kubernetes node bootstrap
Wants=network-online.target
After=network-online.target docker.service containerd.service crio.service cri-docker.service
ConditionPathExists=/var/lib/cse-bootstrap/run.sh
[Service]
ExecStart=/bin/bash /var/lib/cse-bootstrap/run.sh
Restart=on-failure
RestartSec=60
RestartPreventExitStatus=3
[Install]
WantedBy=multi-user.target
E
  chmod 644 "$U/cse-scrub.service" "$U/cse-bootstrap.service"
  sync "$D/run.sh.part" "$D/id" "$D/scrub.sh" "$U/cse-scrub.service" "$U/cse-bootstrap.service"
  mv "$D/run.sh.part" "$D/run.sh"
  systemctl daemon-reload
  systemctl enable cse-bootstrap.service cse-scrub.service
  sync
  systemctl start --no-block cse-bootstrap.service
  exit 0
fi
