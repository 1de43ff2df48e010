# shellcheck shell=bash disable=SC2154
# A control plane whose etcd comes out of a backup. SNAPSHOT (SHA-256), SIZE (bytes) and ETCD (the
# version that wrote it) come from the data block.
S=$D/snapshot.db
have_snapshot() { sha256sum --status -c <<<"$SNAPSHOT  $S" 2>/dev/null; }
# On the API server's own port, and with its certificate: what will reach the API reaches this. Only
# a client of the front proxy's CA is listened to: the workers' kubelets have certificates as well.
receive() {
  have_snapshot && return 0
  local pid was=-1 now=0 still=0 pki=/etc/kubernetes/pki at=${VIP:-$IP}:6443
  # Whoever comes from outside may come by either address; OpenSSL 1.0 knows no addresses here.
  [[ (-z ${VIP:-} || -z ${SANS:-}) && $(openssl version) != *" 1.0."* ]] || at=6443
  [ -p "$D/quiet" ] || mkfifo "$D/quiet"
  openssl s_server -accept "$at" -cert "$pki/apiserver.crt" -key "$pki/apiserver.key" \
    -CAfile "$pki/front-proxy-ca.crt" -Verify 1 -verify_return_error -alpn cse-snapshot -quiet \
    <>"$D/quiet" >"$S" 2>"$D/s_server.log" &
  pid=$!
  # It has no end of its own, and one that connects and is silent would hold it up for ever.
  while kill -0 "$pid" 2>/dev/null && [ "$now" -lt "$SIZE" ] && [ "$still" -lt 60 ]; do
    sleep 1
    was=$now
    now=$(stat -c %s "$S")
    still=$((now == was ? still + 1 : 0))
  done
  kill "$pid" 2>/dev/null
  wait "$pid" 2>/dev/null
  have_snapshot
}
step_snapshot() {
  [ -s /etc/kubernetes/pki/apiserver.crt ] || {
    put_fresh_pki
    phase certs all --apiserver-cert-extra-sans "$ALT" ${SERVICE_CIDR:+--service-cidr "$SERVICE_CIDR"}
  }
  until_ok 60 receive || die "no snapshot of etcd came: $(tail -n 1 "$D/s_server.log")"
  rm -f "$D/quiet" "$D/s_server.log"
}
restore_etcd() {
  local image tag tool more=()
  image=$(kubeadm config images list --kubernetes-version "$KVER" \
    ${REPO:+--image-repository "$REPO"} | grep /etcd:)
  tag=${image##*:}
  [ "$(printf '%s\n' "${ETCD%.*}" "${tag%.*}" | sort -V | tail -n 1)" = "${tag%.*}" ] ||
    die "the backup is of etcd $ETCD, and this template has etcd ${tag%-*}"
  rm -rf /var/lib/etcd
  set -- snapshot restore "$S" --data-dir /var/lib/etcd --name "$NODE" \
    --initial-cluster "$NODE=https://$IP:2380" --initial-advertise-peer-urls "https://$IP:2380"
  if [ -n "$DOCKER" ]; then
    docker run --rm -e ETCDCTL_API=3 -v /var/lib:/var/lib --entrypoint etcdctl "$image" "$@"
    return
  fi
  mkdir -p /run/cse/etcd
  ctr -n k8s.io images unmount --rm /run/cse/etcd 2>/dev/null || true
  ctr -n k8s.io images mount "$image" /run/cse/etcd
  tool=/run/cse/etcd/usr/local/bin/etcdutl
  [ -x "$tool" ] || tool=${tool%utl}ctl
  # Watchers must not live in a past that is not theirs (etcd 3.6).
  ! "$tool" snapshot restore --help | grep -q -e --bump-revision ||
    more=(--bump-revision 1000000000 --mark-compacted)
  ETCDCTL_API=3 "$tool" "$@" ${more[@]+"${more[@]}"}
  ctr -n k8s.io images unmount --rm /run/cse/etcd
}
step_restore() {
  restore_etcd
  # kubeadm takes what is there already, as after a power loss.
  mark init.started
}
