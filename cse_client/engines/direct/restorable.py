"""A backup that a cluster is restored from: read to its end before anything is touched."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cse_client import suggest
from cse_client.content import plain
from cse_client.engines.direct import ca_files, claims
from cse_client.engines.direct.backup_files import open_backup
from cse_client.engines.direct.custody import find_pki, identity_of
from cse_client.engines.direct.existing import ExistingCluster
from cse_client.engines.direct.holders import show_minute
from cse_client.errors import CseError, NotFound, Refused
from cse_client.guest import render
from cse_client.guest.pki import ClusterPKI
from cse_client.model import CONTROL_PLANE, Template, node_kind
from cse_client.model.backups import BackupKey
from cse_client.model.endpoints import is_endpoint

__all__ = ["Restorable", "read_restorable", "refuse_other", "refuse_release"]

_LONGEST_SHOWN = 100
#: The minor releases of Kubernetes since which kubeadm installs a minor release of etcd 3
#: (kubernetes:cmd/kubeadm/app/constants/constants.go, SupportedEtcdVersion), the newest first.
_ETCD_SINCE = ((34, 6), (22, 5), (17, 4))
_NEWEST_KNOWN = 37


@dataclass(frozen=True)
class Restorable:
    """A backup that was read and verified to its end.

    `node` and `address` are those of its first control plane, `heads` is the number of them.
    """

    path: Path
    key: BackupKey = field(repr=False)
    pki: ClusterPKI = field(repr=False)
    record: Mapping[str, Any] = field(repr=False)
    digest: str
    size: int
    node: str
    address: str
    heads: int = 1

    @property
    def kubernetes(self) -> str:
        """The version of Kubernetes, without a leading v."""
        return claims.text(self.record.get("kubernetes")).lstrip("v")

    @property
    def etcd(self) -> str:
        """The version of etcd."""
        return claims.text(self.record.get("etcd"))

    @property
    def created(self) -> str:
        """When the backup was made, as it is shown."""
        made = claims.moment(self.record.get("created"))
        return show_minute(made) if made is not None else "an unknown time"

    @property
    def awaited(self) -> render.AwaitedSnapshot:
        """What the script of a new control plane waits for."""
        return render.AwaitedSnapshot(self.digest, self.size, self.etcd)

    @property
    def mark(self) -> str:
        """How the descriptions of VMs begin that are made of it; see `Restoration`."""
        return f"[restore {self.digest[:16]}"


def read_restorable(path: Path, key: BackupKey) -> Restorable:
    """Read a backup to its end.

    Raises:
        CseError: it cannot be opened, is damaged or incomplete.
    """
    digest = hashlib.sha256()
    with open_backup(path, key) as backup:
        for piece in backup.snapshot():
            digest.update(piece)
        record, pki, size = backup.record, backup.pki, backup.size
    planes = record.get("control_planes")
    if not isinstance(planes, list) or not planes:
        raise CseError(f"The backup {path} names no control plane.")
    first: Mapping[str, Any] = planes[0] if isinstance(planes[0], dict) else {}
    node, address = claims.text(first.get("name")), claims.text(first.get("ip"))
    if node_kind(node) != CONTROL_PLANE or not is_endpoint(address):
        raise CseError(f"The backup {path} has no usable name or address of the control plane.")
    return Restorable(
        path=path,
        key=key,
        pki=pki,
        record=record,
        digest=digest.hexdigest(),
        size=size,
        node=node,
        address=address,
        heads=len(planes),
    )


def refuse_other(cluster: ExistingCluster, backup: Restorable) -> None:
    """Refuse a backup of another cluster.

    Raises:
        Refused: it has another id, or holds another CA than is known for this one.
    """
    of = backup.record.get("cluster")
    of = of if isinstance(of, dict) else {}
    known = _known_pki(cluster)
    other_ca = known is not None and known != backup.pki
    if of.get("id") == cluster.cluster_id and cluster.cluster_id and not other_ca:
        return
    name = plain(str(of.get("name", "?")), _LONGEST_SHOWN)
    why = (
        "it holds another CA than the cluster's"
        if other_ca
        else (
            f"its cluster id is {plain(str(of.get('id', '?')), _LONGEST_SHOWN)}, and not"
            f" {cluster.cluster_id or 'known'}"
        )
    )
    new = suggest.cse("cluster restore", "NEW-NAME", str(backup.path), new=True)
    raise Refused(
        f"The file {backup.path} is not a backup of this cluster '{cluster.name}': it is of"
        f" '{name}', and {why}.",
        hint="Only the cluster that a backup was made of can be restored from it. To make a new"
        f" cluster with its objects: {new}",
    )


def _known_pki(cluster: ExistingCluster) -> ClusterPKI | None:
    """Return the cluster's CA as far as it is known without the backup.

    A backup that was encrypted to a public key may come from anybody.
    """
    kept = ca_files.kept(identity_of(cluster))
    if kept is not None or cluster.control_plane is None:
        return kept.pki if kept is not None else None
    try:
        return find_pki(cluster)
    except (NotFound, Refused):
        return None


def refuse_release(backup: Restorable, template: Template) -> None:
    """Refuse a template that is older than the backup, or newer by more than one minor release.

    The same for etcd, as far as kubeadm's choice is known. A template of which nothing is known is
    taken; the guest compares the versions of etcd.

    Raises:
        Refused: the template does not fit.
    """
    there = template.facts.kubernetes
    wanted, present = _minor(backup.kubernetes), _minor(there)
    if wanted and present and not wanted <= present <= wanted + 1:
        raise _unfit(template, f"Kubernetes {backup.kubernetes}", there)
    etcd = _etcd_of(present)
    if etcd and _minor(backup.etcd, major=3) > etcd:
        raise _unfit(template, f"etcd {backup.etcd}", f"etcd 3.{etcd} (Kubernetes {there})")


def _unfit(template: Template, wanted: str, present: str) -> Refused:
    return Refused(
        f"The backup is of {wanted}, and the template '{template.name}' has {present}; nothing was"
        " changed.",
        hint="Restore with the template that the cluster had.",
    )


def _etcd_of(kubernetes: int) -> int:
    """Return the minor release of etcd 3 that kubeadm installs with one of Kubernetes 1.

    0 where it is not known.
    """
    if kubernetes > _NEWEST_KNOWN:
        return 0
    return next((etcd for since, etcd in _ETCD_SINCE if since <= kubernetes), 0)


def _minor(version: str, *, major: int = 1) -> int:
    found = re.match(rf"v?{major}\.(\d{{1,3}})(\D|$)", version)
    return int(found[1]) if found else 0
