"""`etcdutl` and `etcdctl` out of etcd's image: restoring a snapshot.

etcd: etcdutl/etcdutl/snapshot_command.go; up to 3.5, etcdctl restores as well.
"""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING

from cse_client.simulator.guest.etcd import MARK, RESTORED
from cse_client.simulator.guest.snapshots import BadSnapshot, read_snapshot

if TYPE_CHECKING:
    from cse_client.simulator.guest.exchange import Call
    from cse_client.simulator.guest.system import System

__all__ = ["PROGRAMS", "etcdutl", "restore_snapshot"]

#: The programs in etcd's image that have a stand-in.
PROGRAMS = ("etcdctl", "etcdutl")
_FLAGS = ("--data-dir", "--name", "--initial-cluster", "--initial-advertise-peer-urls",
          "--bump-revision")  # fmt: skip


def etcdutl(system: System, call: Call) -> int:
    """Etcdutl snapshot restore FILE ..."""
    return restore_snapshot(system, call, call.words)


def restore_snapshot(system: System, call: Call, words: list[str]) -> int:
    """Restore a snapshot to /var/lib/etcd, which must not be there."""
    if words[:2] != ["snapshot", "restore"]:
        call.err(f"{call.command}: {' '.join(words)}: not simulated")
        return 1
    if "--help" in words:
        call.out(f"Usage:\n  etcdutl snapshot restore <filename> {' '.join(_FLAGS)} [flags]")
        return 0
    values = {one: words[at + 1] for at, one in enumerate(words[:-1]) if one in _FLAGS}
    folder = values.get("--data-dir", "")
    if folder != "/var/lib/etcd":
        call.err(f"{call.command}: --data-dir {folder}: not simulated")
        return 1
    if system.disk.exists(folder):
        call.err(f'Error: data-dir "{folder}" not empty or could not be read')
        return 1
    try:
        found = read_snapshot(system.disk.read(words[2]))
    except (BadSnapshot, OSError) as error:
        call.err(f"Error: {error}")
        return 1
    system.step("etcdutl snapshot restore")
    bump = int(values.get("--bump-revision", "0"))
    with system.life.guard():
        system.disk.make_folder(folder, 0o700)
        system.disk.write(RESTORED, json.dumps({"bump": bump, "state": found}), 0o600)
        system.disk.write(MARK, secrets.token_hex(8), 0o600)
    return 0
