# shellcheck shell=bash disable=SC2154
# Servers for names and time.
# The card's own servers are replaced, not added to: CoreDNS asks any that the node has.
set_dns() {
  local dev list
  # shellcheck disable=SC2086
  list=$(printf 'nameserver %s\n' $DNS)
  dev=$(ip -4 -o addr show | sed -nE "s#^[0-9]+: ([^ ]+) +inet ${IP//./\\.}/.*#\1#p" | head -n 1)
  case $(readlink /etc/resolv.conf) in
    *systemd/resolve*)
      put "/etc/systemd/network/10-netplan-$dev.network.d/cse.conf" 644 <<E
[Network]
DNS=
DNS=$DNS
E
      # shellcheck disable=SC2086
      resolvectl dns "$dev" $DNS || die "--dns: resolvectl cannot set the servers of $dev"
      ;;
    *resolvconf*)
      sed -i -E "s/^([[:space:]]*dns-nameservers) .*/\1 $DNS/" /etc/network/interfaces
      resolvconf -a "$dev.inet" <<<"$list" || die "--dns: resolvconf cannot set the servers of $dev"
      ;;
    '') put /etc/resolv.conf 644 <<<"$list" ;;
    *) die "--dns: $(readlink /etc/resolv.conf) in this template is neither of systemd-resolved nor resolvconf" ;;
  esac
}
set_ntp() {
  local one
  put /etc/systemd/timesyncd.conf.d/cse.conf 644 <<E
[Time]
NTP=$NTP
E
  [ ! -d /etc/chrony ] || for one in $NTP; do echo "server $one iburst"; done |
    put /etc/chrony/conf.d/cse.conf 644
  for one in systemd-timesyncd chrony; do systemctl try-restart "$one.service" || true; done
}
