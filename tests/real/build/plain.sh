#!/bin/bash
# plain.sh ROOT SUITE MIRROR WORK: put a plain Debian into ROOT, as a provider's template has it.
# WORK holds server.crt, to be trusted, and the lists `installed` and `offered`; it gets archive/, with the offered
# packages and what they depend on. Run it as root in a mount namespace of its own.
set -eu

root=$1 suite=$2 mirror=$3 work=$4
export DEBIAN_FRONTEND=noninteractive LC_ALL=C

apt_get() {
    # The mirror at hand may be a snapshot that is older than what its lists allow.
    chroot "$root" apt-get -q -y -o Acquire::Check-Valid-Until=false -o Acquire::Check-Date=false \
        -o Acquire::Languages=none --no-install-recommends "$@"
}

debootstrap --variant=minbase --merged-usr "$suite" "$root" "$mirror"
mountpoint -q "$root/proc" || mount -t proc proc "$root/proc"
printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d" # nothing starts in here
chmod 755 "$root/usr/sbin/policy-rc.d"
apt_get update
# shellcheck disable=SC2046 # a list of names
apt_get install $(cat "$work/installed")
apt_get clean
mkdir -p "$root/var/cache/offered/partial"
# shellcheck disable=SC2046
apt_get -o Dir::Cache::archives=/var/cache/offered --download-only install $(cat "$work/offered")
rm -rf "$root/var/cache/offered/partial" "$root/var/cache/offered/lock"
mv "$root/var/cache/offered" "$work/archive"

install -D -m 644 "$work/server.crt" \
    "$root/usr/local/share/ca-certificates/internet.crt"
chroot "$root" update-ca-certificates
# A careless provider's: its machines would all have this identity.
chroot "$root" systemd-machine-id-setup
chroot "$root" ssh-keygen -A
# Ubuntu has nothing like it: there, only cloud-init makes keys that are missing.
ln -sf /dev/null "$root/etc/systemd/system/sshd-keygen.service"
rm -f "$root/usr/sbin/policy-rc.d" "$root/etc/apt/sources.list" "$root/var/cache/apt/"*.bin
find "$root/var/lib/apt/lists" -type f -delete
find "$root/var/log" -type f -exec truncate -s 0 {} +
: >"$root/etc/resolv.conf"
echo debian >"$root/etc/hostname"
printf '127.0.0.1\tlocalhost\n127.0.1.1\tdebian\n' >"$root/etc/hosts"
umount "$root/proc"
