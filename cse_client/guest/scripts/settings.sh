# shellcheck shell=bash disable=SC2154,SC2034
# What the network needs that the node is in; part of a script only where there is any of it.
# kubeadm may not see the proxy: it would give it to the control plane's pods.
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
TOML=/etc/containerd/config.toml
# toml TABLE KEY VALUE: in containerd's configuration, where a table may be there once only.
toml() {
  local line bare inside='' found=''
  {
    while IFS= read -r line || [ -n "$line" ]; do
      bare=${line//\'/\"}
      bare=${bare//[[:space:]]/}
      case $bare in
        "[$1]")
          inside=1
          found=1
          line+=$'\n'"$2 = \"$3\""
          ;;
        "["*) inside= ;;
        "$2="*) [ -z "$inside" ] || continue ;;
      esac
      printf '%s\n' "$line"
    done <"$TOML"
    [ -n "$found" ] || printf '[%s]\n%s = "%s"\n' "$1" "$2" "$3"
  } | put "$TOML" 644
}
set_registries() {
  local v cri one dir=/etc/containerd/certs.d pause
  case $CRI in
    *containerd*) ;;
    *)
      [ -z "$MIRRORS" ] || die "--registry-mirror requires containerd; this template has ${CRI##*/}"
      return 0
      ;;
  esac
  [ -s "$TOML" ] || put "$TOML" 644 <<<'version = 2'
  v=$(sed -nE 's/^ *version *= *([0-9]+).*/\1/p' "$TOML")
  case ${v:-1} in
    1) cri=plugins.cri ;;
    2) cri='plugins."io.containerd.grpc.v1.cri"' ;;
    *) cri='plugins."io.containerd.cri.v1.images"' ;;
  esac
  if [ -n "$MIRRORS" ]; then
    ! grep -qE '^ *\[.*\.registry\.(mirrors|configs)\..' "$TOML" ||
      die "$TOML in this template has registry mirrors of its own"
    toml "$cri.registry" config_path "$dir"
    for one in $MIRRORS; do
      {
        echo "[host.\"${one#*=}\"]"
        echo 'capabilities = ["pull", "resolve"]'
        # With a path, that is the API's root, as for Harbor's proxy projects.
        [[ ${one#*=} != *://*/?* ]] || echo 'override_path = true'
      } | put "$dir/${one%%=*}/hosts.toml" 644
    done
  fi
  if [ -n "$REPO" ]; then
    pause=$(kubeadm config images list --kubernetes-version "$KVER" --image-repository "$REPO" |
      grep /pause:)
    case ${v:-1} in
      1 | 2) toml "$cri" sandbox_image "$pause" ;;
      *) toml "$cri.pinned_images" sandbox "$pause" ;;
    esac
  fi
}
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
  [ -z "$HTTP_P$HTTPS_P" ] || set_proxy
  [ -z "$CA" ] || { put_ca; update-ca-certificates; }
  [ -z "$MIRRORS$REPO" ] || set_registries
  systemctl daemon-reload
  for s in containerd docker crio; do systemctl try-restart "$s.service" || true; done
}
