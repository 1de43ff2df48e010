"""Snapshots of a simulated etcd: a database and after it its SHA-256, as those of a real one are.

The length of a database is a multiple of 512, which is how `etcdutl` knows that there is a checksum
after it (etcd: etcdutl/snapshot, v3_snapshot.go). What is in it only the simulator can read.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cse_client.simulator.kube import KubeAPI

__all__ = ["BadSnapshot", "read_snapshot", "snapshot_of"]

_HEAD = b"simulated etcd\n"
_BLOCK = 512


class BadSnapshot(Exception):
    """A file is not a snapshot, or is damaged."""


def snapshot_of(api: KubeAPI) -> bytes:
    """Return the database of a cluster, without its checksum."""
    content = _HEAD + json.dumps(api.dump(), separators=(",", ":")).encode()
    return content + bytes(-len(content) % _BLOCK)


def read_snapshot(content: bytes) -> dict[str, Any]:
    """Return what is in a snapshot, for `KubeAPI.load`.

    Raises:
        BadSnapshot: the checksum is missing or another one, or a real etcd wrote it.
    """
    if len(content) % _BLOCK != hashlib.sha256().digest_size:
        raise BadSnapshot(
            "snapshot missing hash but --skip-hash-check=false"  # etcdutl's own text
        )
    database, digest = content[:-32], content[-32:]
    if hashlib.sha256(database).digest() != digest:
        raise BadSnapshot("expected sha256 [...], got [...]")
    if not database.startswith(_HEAD):
        raise BadSnapshot("the simulator reads only its own snapshots")
    found = json.loads(database[len(_HEAD) :].rstrip(b"\0"))
    return dict(found)
