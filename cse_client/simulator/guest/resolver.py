"""The name servers of a guest, as systemd-resolved has them."""

from __future__ import annotations

from collections.abc import Sequence

from cse_client.simulator.guest.disk import Disk

__all__ = ["resolv_conf", "write_name_servers"]


def write_name_servers(disk: Disk, card: str, servers: Sequence[str]) -> None:
    """Write resolv.conf from the servers in netplan's file and the drop-ins for it.

    An empty DNS= forgets the servers named before it (systemd: man 5 systemd.network).
    """
    found = list(servers)
    folder = f"/etc/systemd/network/10-netplan-{card}.network.d"
    for name in disk.names(folder):
        for line in disk.text(f"{folder}/{name}").splitlines():
            key, equals, value = line.partition("=")
            if equals and key == "DNS":
                found = [*found, *value.split()] if value.split() else []
    disk.write("/etc/resolv.conf", resolv_conf(found))


def resolv_conf(servers: Sequence[str]) -> str:
    """Return the text of resolv.conf with these name servers."""
    return "".join(f"nameserver {one}\n" for one in servers)
