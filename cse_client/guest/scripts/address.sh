# shellcheck shell=bash disable=SC2154
# The cluster's virtual address: keepalived holds it on one of the control planes, by VRRP with
# multicast, so that no machine lists the others. A control plane that answers, and is not cordoned,
# counts 50 more than one that does not, and of equals the holder keeps it: a new or returning machine
# disturbs nothing.
#
# Whoever has the address answers ARP, whatever else it blocks.
address_taken() {
  { echo >"/dev/udp/$VIP/9"; } 2>/dev/null || true
  sleep 2
  ip -4 neigh show "$VIP" 2>/dev/null | grep -q lladdr
}
address_here() { ip -4 -o addr show 2>/dev/null | grep -qF " $VIP/"; }
keepalived_conf() {
  cat <<E
global_defs {
  router_id $NODE
  vrrp_version 3
  enable_script_security
  script_user root
}
vrrp_script api {
  script "/etc/keepalived/check-api"
  interval 1
  timeout 3
  fall 3
  rise 1
  weight 50
}
vrrp_instance api {
  state BACKUP
  interface $1
  virtual_router_id $ROUTER
  priority 100
  advert_int 0.5
  virtual_ipaddress {
    $VIP/$2
  }
  track_script {
    api
  }
}
E
}
step_address() {
  local p card
  for p in keepalived curl; do
    command -v "$p" >/dev/null ||
      die "there is no $p in this template, which the virtual address $VIP requires"
  done
  card=$(ip -4 -o addr show | sed -nE "s#^[0-9]+: ([^ ]+) +inet $IP/([0-9]+) .*#\1 \2#p" | head -n 1)
  [ -n "$card" ] || die "no network card has the address $IP"
  # Later it is this machine that has it.
  marked address.begun || ! address_taken ||
    die "the virtual address $VIP is in use: $(ip -4 neigh show "$VIP")"
  mark address.begun
  put /etc/keepalived/check-api 755 <<E
#!/bin/sh
# The API server answers, and the node is not cordoned: one that is to leave gives the address up.
A=https://127.0.0.1:6443
case \$(curl -skm 2 \$A/readyz --next -skm 0.8 -E /var/lib/kubelet/pki/kubelet-client-current.pem \\
  "\$A/api/v1/nodes/$NODE?resourceVersion=0") in
  *'"unschedulable": true'*) exit 1 ;;
  ok*) exit 0 ;;
esac
exit 1
E
  keepalived_conf "${card% *}" "${card#* }" | put /etc/keepalived/keepalived.conf 644
  systemctl enable keepalived.service || die "there is no keepalived service in this template"
  systemctl restart keepalived.service || die "keepalived does not start"
  until_ok 30 address_here || die "keepalived does not take the virtual address $VIP: does another\
 machine of this network use the virtual router id $ROUTER?"
}
