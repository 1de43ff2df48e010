# shellcheck shell=bash disable=SC2154
# The way out for the runtime, the kubelet and apt. kubeadm may not see it: it would give it to the
# control plane's pods.
set_proxy() {
  local s one
  for s in containerd docker crio kubelet; do
    put "/etc/systemd/system/$s.service.d/cse-proxy.conf" 644 <<E
[Service]
Environment="HTTP_PROXY=$HTTP_P" "HTTPS_PROXY=$HTTPS_P" "NO_PROXY=$NO_P"
E
  done
  {
    [ -z "$HTTP_P" ] || echo "Acquire::http::Proxy \"$HTTP_P\";"
    [ -z "$HTTPS_P" ] || echo "Acquire::https::Proxy \"$HTTPS_P\";"
    for one in ${NO_P//,/ }; do
      case $one in
        .* | *[/*:]*) ;;
        *) printf 'Acquire::%s::Proxy::%s "DIRECT";\n' http "$one" https "$one" ;;
      esac
    done
  } | put /etc/apt/apt.conf.d/95cse-proxy 644
}
