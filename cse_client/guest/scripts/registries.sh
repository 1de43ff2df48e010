# shellcheck shell=bash disable=SC2154
# Where images come from: containerd's mirrors, and the image of pods' sandboxes.
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
  v=$(sed -nE 's/^ *version *= *([0-9]+).*/\1/p' "$TOML" | head -n 1)
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
