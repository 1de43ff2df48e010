#!/bin/sh
# The start of kube-proxy's image. The largest number of tracked connections belongs to the kernel's
# first network namespace: elsewhere nobody may write it, and kube-proxy 1.36 ends when it cannot.
# So it gets a file of its own in that place.
limit=/proc/sys/net/netfilter/nf_conntrack_max
if [ -e "$limit" ]; then
    cat "$limit" >/tmp/nf_conntrack_max
    mount --bind /tmp/nf_conntrack_max "$limit"
fi
exec /usr/local/bin/kube-proxy.program "$@"
