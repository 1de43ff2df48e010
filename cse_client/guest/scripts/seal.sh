# shellcheck shell=bash disable=SC2154
# Removes what belongs to one machine only, or to the network that it was built in. Customization,
# cloud-init and systemd make all of it anew at the first boot of each node.
# Sources: kubernetes-sigs/image-builder, images/capi/ansible/roles/sysprep; machine-id(5).
seal_services() {
  local one
  # cloud-init makes new host keys where it is there
  put /etc/systemd/system/cse-host-keys.service 644 <<'E'
[Unit]
Description=Make the SSH host keys that a template does not have
ConditionPathExists=!/etc/ssh/ssh_host_ed25519_key
Before=ssh.service sshd.service ssh.socket
[Service]
Type=oneshot
ExecStart=/usr/bin/ssh-keygen -A
[Install]
WantedBy=multi-user.target
E
  systemctl disable cse-bootstrap.service cse-scrub.service || true
  rm -f /etc/systemd/system/cse-bootstrap.service /etc/systemd/system/cse-scrub.service
  for one in containerd docker crio kubelet; do
    rm -f "/etc/systemd/system/$one.service.d/cse-proxy.conf"
  done
  systemctl daemon-reload
  systemctl enable cse-host-keys.service
}
seal_network() {
  local one
  rm -f /etc/apt/apt.conf.d/95cse-proxy
  for one in ${MIRRORS:-}; do rm -rf "/etc/containerd/certs.d/${one%%=*}"; done
  if [ -n "${CA:-}" ]; then
    rm -f /usr/local/share/ca-certificates/cse-registry.crt
    update-ca-certificates --fresh || true
  fi
  rm -f /etc/netplan/*.yaml /etc/udev/rules.d/70-persistent-net.rules
  rm -rf /var/lib/dhcp/*
}
seal_customization() {
  if ! missing vmware-toolbox-cmd; then
    vmware-toolbox-cmd config set deployPkg enable-custom-scripts true || true
    # VCD shows the addresses of pods as those of the VM otherwise
    vmware-toolbox-cmd config set guestinfo exclude-nics \
      'antrea-*,cali*,cilium*,lxc*,ovs-system,br*,flannel*,veth*,vxlan*,docker*,cni*,kube-ipvs*' ||
      true
  fi
  missing cloud-init || cloud-init clean --logs || true
  rm -rf /var/lib/cloud /etc/cloud/cloud-init.disabled
  # Where cloud-init customizes, it must not find another source first: VCD offers that of OVF, too.
  if grep -qsE '^ *disable_vmware_customization: *false' /etc/cloud/cloud.cfg \
    /etc/cloud/cloud.cfg.d/*.cfg; then
    put /etc/cloud/cloud.cfg.d/99-zz-cse.cfg 644 <<<'datasource_list: [ VMware, None ]'
  fi
  for one in subiquity-disable-cloudinit-networking 99-installer curtin-preserve-sources \
    90-installer-network; do
    rm -f "/etc/cloud/cloud.cfg.d/$one.cfg"
  done
  rm -rf /root/.customization /.guest-customization-post-reboot-pending
}
seal_identity() {
  local one
  rm -rf /etc/ssh/ssh_host_* /var/lib/systemd/random-seed /root/.ssh /root/.bash_history \
    /root/.wget-hsts /root/.cache
  for one in /home/*; do rm -f "$one/.ssh/authorized_keys" "$one/.bash_history"; done
  # customization gives a new one to each node
  usermod -p '!' root || say "root's password was not removed"
  sed -E "/[[:space:]]$NODE\$/d" /etc/hosts >"$D/hosts"
  cat "$D/hosts" >/etc/hosts
  : >/etc/hostname
  : >/etc/machine-id
  chmod 644 /etc/machine-id
  [ ! -d /var/lib/dbus ] || ln -sfn /etc/machine-id /var/lib/dbus/machine-id
}
seal() {
  seal_services
  seal_network
  apt clean || true
  rm -rf /var/lib/apt/lists/* /var/lib/kubelet/pki /var/lib/kubelet/config.yaml /var/lib/etcd \
    /etc/kubernetes/pki /etc/kubernetes/*.conf
  seal_customization
  seal_identity
  vmtoolsd --cmd "info-set guestinfo.ovfEnv ' '" >/dev/null 2>&1 || true
  journalctl --rotate --vacuum-time=1s >/dev/null 2>&1 || true
  # /tmp is emptied by systemd at each boot
  rm -rf /run/cse "$D"
  find /var/log -type f -exec truncate -s 0 {} + || true
  rm -rf /var/log/journal/* /var/log/cloud-init* /var/log/vmware-imc "$LOG"
  fstrim -av || true
  sync
}
