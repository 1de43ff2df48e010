# shellcheck shell=bash disable=SC2154,SC2034
# What the network needs that the node is in: a script has only those parts that it uses.
# For no_way_out: names the mirror of an image's host, or puts the proxy in the host's stead.
other_way() {
  local one
  for one in $MIRRORS; do
    [ "${one%%=*}" != "$host" ] || {
      echo "cannot pull $1 from the mirror ${one#*=}, nor from $host"
      return 0
    }
  done
  [ -n "$HTTPS_P" ] || return 1
  case ",$NO_P," in *",$host,"*) return 1 ;; esac
  proxy='the proxy '
  host=${HTTPS_P#*://}
  host=${host%/}
  [[ $HTTPS_P == https:* ]] || port=80
  return 1
}
step_settings() {
  local s
  [ -z "$DNS" ] || set_dns
  [ -z "$NTP" ] || set_ntp
  [ -z "$HTTP_P$HTTPS_P" ] || set_proxy
  [ -z "$CA" ] || { put_ca; update-ca-certificates; }
  [ -z "$MIRRORS$REPO" ] || set_registries
  systemctl daemon-reload
  for s in containerd docker crio; do systemctl try-restart "$s.service" || true; done
}
