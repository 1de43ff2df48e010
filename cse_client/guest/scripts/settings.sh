# shellcheck shell=bash disable=SC2154
# What the network needs that the node is in. kubeadm may not see the proxy: it would give it to the
# control plane's pods.
step_settings() {
  local s host
  [ -n "$HTTP_P$HTTPS_P" ] || return 0
  for s in containerd docker crio kubelet; do
    put "/etc/systemd/system/$s.service.d/cse-proxy.conf" 644 <<E
[Service]
Environment="HTTP_PROXY=$HTTP_P" "HTTPS_PROXY=$HTTPS_P" "NO_PROXY=$NO_P"
E
  done
  {
    [ -z "$HTTP_P" ] || echo "Acquire::http::Proxy \"$HTTP_P\";"
    [ -z "$HTTPS_P" ] || echo "Acquire::https::Proxy \"$HTTPS_P\";"
    for host in ${NO_P//,/ }; do
      case $host in
        .* | *[/*:]*) ;;
        *) printf 'Acquire::%s::Proxy::%s "DIRECT";\n' http "$host" https "$host" ;;
      esac
    done
  } | put /etc/apt/apt.conf.d/95cse-proxy 644
  systemctl daemon-reload
  for s in containerd docker crio; do systemctl try-restart "$s.service" || true; done
}
