"""Backing a cluster up: etcd's snapshot with the keys and the record that belong to it."""

from __future__ import annotations

import shutil
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from cse_client import __version__
from cse_client.engines.direct import backup_files
from cse_client.engines.direct.credentials import API_TIMEOUT, open_api, open_etcd
from cse_client.engines.direct.custody import find_pki, identity_of
from cse_client.engines.direct.existing import ExistingCluster
from cse_client.engines.direct.pools import pool_documents
from cse_client.errors import CseError
from cse_client.guest.pki import fingerprint
from cse_client.model import CONTROL_PLANE, WORKER, Event, EventKind, Progress, footprint, node_kind
from cse_client.model.backups import FORMAT, Backup, BackupLock

__all__ = ["back_up"]

#: What may be in the file besides etcd's database.
_MORE_BYTES = 1024 * 1024
#: Metadata about who is at work, which a restored cluster must not have.
_PASSING = (
    footprint.LOCK,
    footprint.OPERATION,
    footprint.DONE,
    footprint.RESTORE,
    footprint.IN_PLACE,
)


def back_up(
    cluster: ExistingCluster, path: Path, lock: BackupLock, *, progress: Progress
) -> Backup:
    """Write a backup to a new file, and read it back.

    Nothing in the cluster or in VCD is changed.

    Raises:
        Refused, NotFound: the CA keys are not available; see `custody.find_pki`.
        ClusterUnreachable, EtcdFault: the API or etcd does not answer.
        CseError: the file cannot be written.
        WrongUsage: a public key is none.
    """
    backup_files.check_lock(lock)
    backup_files.check_new(path)
    pki = find_pki(cluster)
    head = cluster.require_control_plane()
    with open_api(cluster, pki, timeout=API_TIMEOUT) as api:
        kubernetes = api.version()
    title = f"Back up cluster '{cluster.name}' to {path}"
    progress(Event(EventKind.STARTED, title))
    created = datetime.now(timezone.utc).replace(microsecond=0)
    try:
        with open_etcd(cluster, pki, node=head.name) as etcd:
            status = etcd.status()
            _check_room(path, status.size + _MORE_BYTES)
            snapshot = etcd.snapshot()
            record = {
                **_record(cluster),
                "format": FORMAT,
                "client": __version__,
                "created": created.isoformat(),
                "ca": fingerprint(pki.ca_cert),
                "kubernetes": kubernetes,
                "etcd": status.version,
            }
            size = backup_files.write_backup(path, record, pki, snapshot, snapshot.size, lock)
    except BaseException:
        progress(Event(EventKind.FAILED, title))
        raise
    progress(Event(EventKind.DONE, title))
    return Backup(
        cluster=cluster.name,
        file=str(path),
        size=size,
        etcd_size=snapshot.size,
        etcd_version=status.version,
        kubernetes_version=kubernetes,
        created=created,
    )


def _record(cluster: ExistingCluster) -> dict[str, Any]:
    identity = identity_of(cluster)
    vms = cluster.vapp.vms
    metadata = cluster.metadata.items()
    return {
        "cluster": {
            "name": cluster.name,
            "id": cluster.cluster_id,
            "vapp": identity.vapp,
            "vdc": cluster.vdc.name,
            "org": identity.org,
            "host": identity.host,
        },
        "endpoint": cluster.endpoint,
        "control_planes": [
            {
                "name": vm.name,
                "ip": vm.ip,
                "network": vm.network,
                "cpus": vm.cpus,
                "memory_mb": vm.memory_mb,
            }
            for vm in vms
            if node_kind(vm.name) == CONTROL_PLANE
        ],
        "workers": [vm.name for vm in vms if node_kind(vm.name) == WORKER],
        "pools": pool_documents(cluster.pools),
        "metadata": {key: value for key, value in metadata if not _is_passing(key)},
    }


def _is_passing(key: str) -> bool:
    return any(key == one or key.startswith(f"{one}.") for one in _PASSING)


def _check_room(path: Path, size: int) -> None:
    """Refuse to begin what the file system has no room for."""
    try:
        free = shutil.disk_usage(path.parent).free
    except OSError:  # writing will tell
        return
    if free < size:
        mib = 1024 * 1024
        raise CseError(
            f"There is no room for {path}: the backup has about {-(-size // mib)} MiB, and"
            f" {free // mib} MiB are free.",
            hint="Specify a file elsewhere with -o.",
        )
