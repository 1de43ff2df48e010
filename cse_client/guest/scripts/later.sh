# shellcheck shell=bash disable=SC2154
# The first run of what a node does later, inside the customization: put it where a unit finds it.
if [ "${1-}" = install ]; then
  set -euo pipefail
  umask 077
  U=/etc/systemd/system/cse-task.service
  D=/var/lib/cse-bootstrap/$TASK
  # An earlier task that failed runs again since this boot: it gives way.
  START=start
  grep -qs "$D/run.sh" "$U" || START=restart
  cat >"$U" <<E
[Unit]
Description=Kubernetes node task
Wants=network-online.target
After=network-online.target containerd.service kubelet.service
ConditionPathExists=$D/run.sh
[Service]
ExecStart=/bin/bash $D/run.sh
[Install]
WantedBy=multi-user.target
E
  chmod 644 "$U"
  sync "$D/run.sh.part" "$U"
  mv "$D/run.sh.part" "$D/run.sh"
  systemctl daemon-reload
  systemctl enable cse-task.service
  sync
  systemctl "$START" --no-block cse-task.service
  exit 0
fi
