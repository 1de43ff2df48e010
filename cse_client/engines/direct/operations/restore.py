"""Restoring a cluster from a backup: a new control plane at the old one's address.

The new VM has the old one's name, address and keys, so that workers, kubeconfigs and certificates
know it. Its script waits for etcd's snapshot on the API server's port (`kube.upload`), restores it
and initializes the control plane on it. Killed in between, the same command resumes: the VM that a
restore made carries its mark, and what is begun is in the metadata.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cse_client import bounds, suggest
from cse_client.clock import Clock
from cse_client.content import plain
from cse_client.engines.direct import ca_files, claims
from cse_client.engines.direct.backup_files import open_backup
from cse_client.engines.direct.credentials import PROBE_TIMEOUT, admin_credentials
from cse_client.engines.direct.custody import find_pki, identity_of
from cse_client.engines.direct.existing import ExistingCluster
from cse_client.engines.direct.machines import Machines
from cse_client.engines.direct.operations.plan import Step, carry_out
from cse_client.engines.direct.operations.power import heard_since
from cse_client.engines.direct.operations.seal import seal_cluster
from cse_client.engines.direct.removal import remove_vms
from cse_client.engines.direct.resolve import Resolved
from cse_client.engines.direct.waiting import await_nodes
from cse_client.errors import (
    ClusterUnreachable,
    CseError,
    Interrupted,
    NotFound,
    Refused,
    TimedOut,
)
from cse_client.guest import render
from cse_client.guest.pki import ClusterPKI, issue_client
from cse_client.kube.api import ClusterAPI
from cse_client.kube.credentials import Credentials
from cse_client.kube.kubeconfig.document import server_url
from cse_client.kube.upload import Upload
from cse_client.model import (
    CONTROL_PLANE,
    Event,
    EventKind,
    KubeNode,
    Progress,
    RunOptions,
    Template,
    Vm,
    footprint,
    node_kind,
    silent,
)
from cse_client.model.backups import BackupKey
from cse_client.model.endpoints import is_endpoint
from cse_client.reports import parse_guestinfo

if TYPE_CHECKING:
    from cse_client.engines.direct.evidence import Verdict

__all__ = ["Restorable", "Restoration", "read_restorable", "refuse_release"]

_SENDER_LIFETIME = timedelta(hours=12)
_UPLOAD_TIMEOUT = 30.0
_LOOK_AGAIN = 2.0
#: Seconds after which the other side has verified what it got, and listens no longer.
_UNTIL_CHECKED = 5.0
_LONGEST_SHOWN = 100


@dataclass(frozen=True)
class Restorable:
    """A backup that was read and verified to its end, and is of the cluster to be restored."""

    path: Path
    key: BackupKey = field(repr=False)
    pki: ClusterPKI = field(repr=False)
    digest: str
    size: int
    node: str
    address: str
    kubernetes: str
    etcd: str
    created: str

    @property
    def mark(self) -> str:
        """What the description of the VM that is made of it contains."""
        return f"[restore {self.digest[:16]}]"


def read_restorable(cluster: ExistingCluster, path: Path, key: BackupKey) -> Restorable:
    """Read a backup to its end, before anything is touched.

    Raises:
        CseError: it cannot be opened, is damaged or incomplete.
        Refused: it is of another cluster.
    """
    digest = hashlib.sha256()
    with open_backup(path, key) as backup:
        _refuse_other(cluster, path, backup.record, backup.pki)
        for piece in backup.snapshot():
            digest.update(piece)
        record, pki, size = backup.record, backup.pki, backup.size
    planes = record.get("control_planes")
    if not isinstance(planes, list) or not planes:
        raise CseError(f"The backup {path} names no control plane.")
    if len(planes) > 1:
        raise Refused(
            f"The backup {path} is of a cluster with {len(planes)} control planes, which this"
            " version cannot restore."
        )
    first: Mapping[str, Any] = planes[0] if isinstance(planes[0], dict) else {}
    node, address = claims.text(first.get("name")), claims.text(first.get("ip"))
    if node_kind(node) != CONTROL_PLANE or not is_endpoint(address):
        raise CseError(f"The backup {path} has no usable name or address of the control plane.")
    return Restorable(
        path=path,
        key=key,
        pki=pki,
        digest=digest.hexdigest(),
        size=size,
        node=node,
        address=address,
        kubernetes=claims.text(record.get("kubernetes")).lstrip("v"),
        etcd=claims.text(record.get("etcd")),
        created=plain(claims.text(record.get("created")), _LONGEST_SHOWN),
    )


def _refuse_other(
    cluster: ExistingCluster, path: Path, record: Mapping[str, Any], pki: ClusterPKI
) -> None:
    of = record.get("cluster")
    of = of if isinstance(of, dict) else {}
    known = _known_pki(cluster)
    other_ca = known is not None and known != pki
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
    raise Refused(
        f"The file {path} is not a backup of this cluster '{cluster.name}': it is of '{name}', and"
        f" {why}.",
        hint="Only the cluster that a backup was made of can be restored from it.",
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


class Restoration:
    """One run of `cluster restore`, new or resumed."""

    def __init__(
        self,
        cluster: ExistingCluster,
        backup: Restorable,
        resolved: Resolved,
        options: RunOptions,
        *,
        clock: Clock,
        progress: Progress,
    ) -> None:
        self._cluster = cluster
        self._backup = backup
        self._resolved = resolved
        self._clock = clock
        self._progress = progress
        self._deadline = clock.monotonic() + bounds.share(options.timeout)
        self._began = clock.monotonic()
        self._resumes = cluster.metadata.get(footprint.RESTORE) == backup.mark
        self._verdict: Verdict | None = None
        self._sent = False
        self._sealed = False

    def check(self) -> None:
        """Refuse a template that the backup does not fit; nothing was changed."""
        refuse_release(self._backup.kubernetes, self._resolved.template)

    def run(self) -> None:
        """Carry it out, and wait until every node is Ready again."""
        steps = [
            Step(
                "Remove the old control plane VM",
                "Remove the old control plane VM.",
                lambda: not self._old(),
                self._remove,
            ),
            Step(
                f"Create the control plane VM {self._backup.node}",
                "Create the control plane VM.",
                lambda: self._new() is not None,
                self._create,
            ),
            Step(
                "Send etcd's snapshot to the new control plane",
                "Send etcd's snapshot.",
                lambda: self._sent,
                self._send,
            ),
            Step(
                "Wait until all nodes are Ready",
                "Wait until all nodes are Ready.",
                lambda: self._verdict is not None,
                self._await_ready,
            ),
        ]
        if self._cluster.metadata.get(footprint.SEALED):
            steps.append(
                Step("Seal the cluster again", "Seal it.", lambda: self._sealed, self._seal)
            )
        try:
            carry_out(steps, self._progress, self._look)
        except KeyboardInterrupt:
            raise Interrupted(
                f"Interrupted; cluster '{self._cluster.name}' is not restored yet.",
                hint=suggest.RESUME,
            ) from None

    def ending(self) -> dict[str, str]:
        """Return the metadata to write once the cluster is restored."""
        return {footprint.RESTORE: "-"}

    def _look(self) -> None:
        self._cluster = self._cluster.reread()

    def _planes(self) -> list[Vm]:
        return [vm for vm in self._cluster.vapp.vms if node_kind(vm.name) == CONTROL_PLANE]

    def _is_new(self, vm: Vm) -> bool:
        return self._resumes and self._backup.mark in vm.description

    def _new(self) -> Vm | None:
        return next((vm for vm in self._planes() if self._is_new(vm)), None)

    def _old(self) -> list[Vm]:
        return [vm for vm in self._planes() if not self._is_new(vm)]

    def _remove(self) -> None:
        vcd, href = self._cluster.vcd, self._cluster.vapp.href
        remove_vms(vcd, href, self._old(), deadline=self._deadline)
        self._look()

    def _create(self) -> None:
        backup = self._backup
        machines = Machines(
            self._cluster.vcd,
            self._cluster.session,
            self._resolved,
            cluster_id=self._cluster.cluster_id,
            clock=self._clock,
            deadline=self._deadline,
            vapp=self._cluster.vapp,
            stands=True,
            mark=backup.mark,
            known_pki=backup.pki,
        )
        snapshot = render.AwaitedSnapshot(backup.digest, backup.size, backup.etcd)
        machines.make_restored_head(backup.node, backup.address, snapshot)
        self._resumes = True
        self._look()

    def _send(self) -> None:
        """Send the snapshot until the new control plane has it: then it listens no longer."""
        backup = self._backup
        upload = Upload(self._sender(), _UPLOAD_TIMEOUT)
        sent_before = False
        while True:
            sent = False
            try:
                sent = upload.attempt(self._pieces)
            except ClusterUnreachable as broken:
                self._progress(Event(EventKind.WARNING, f"Sending it again: {broken.clause}."))
            if not sent and (sent_before or self._has_spoken()):
                self._sent = True
                return
            sent_before = sent_before or sent
            if self._clock.monotonic() >= self._deadline:
                raise TimedOut(
                    f"The new control plane {backup.node} has not asked for the snapshot in time.",
                    hint=suggest.RESUME,
                )
            self._clock.sleep(_UNTIL_CHECKED if sent else _LOOK_AGAIN)

    def _pieces(self) -> Iterator[bytes]:
        with open_backup(self._backup.path, self._backup.key) as backup:
            yield from backup.snapshot()

    def _sender(self) -> Credentials:
        """Return the address and a certificate of the front proxy's CA, see `kube.upload`."""
        pki = self._backup.pki
        certificate = issue_client(
            (pki.front_proxy_cert, pki.front_proxy_key),
            common_name="cse:restore",
            organizations=[],
            lifetime=_SENDER_LIFETIME,
        )
        server = server_url(self._host)
        return Credentials(server, pki.ca_cert, certificate.cert, certificate.key)

    @property
    def _host(self) -> str:
        spec, virtual = self._resolved.spec, self._resolved.virtual.address
        return spec.endpoint or virtual or self._backup.address

    def _has_spoken(self) -> bool:
        """Return whether there is nothing to wait for: the API answers, or the guest has failed."""
        self._look()
        new = self._new()
        report = parse_guestinfo(new.name, new.guestinfo) if new and new.guestinfo else None
        if report is not None and report.status == "failed":
            return True
        try:
            with self._api() as api:
                api.version()
        except CseError:
            return False
        return True

    def _api(self) -> ClusterAPI:
        access = admin_credentials(self._backup.pki, self._host, self._cluster.session)
        return ClusterAPI(access, timeout=PROBE_TIMEOUT)

    def _seal(self) -> None:
        self._look()
        seal_cluster(self._cluster, deadline=self._deadline, progress=silent, pki=self._backup.pki)
        self._sealed = True

    def _heard(self, api: ClusterAPI) -> Callable[[], Sequence[KubeNode]]:
        """Return a reader of Nodes that believes only what was heard since the restore began.

        In the backup, every node is Ready. The control plane is a new machine, which reports at
        once; the workers were not restarted, and show by their Leases that they found it.
        """
        since_start = heard_since(api, self._began, self._clock)

        def read() -> Sequence[KubeNode]:
            nodes = {node.name: node for node in since_start()}
            start = api.now() - timedelta(seconds=self._clock.monotonic() - self._began)
            renewed = api.renewals()
            return [
                node
                if node.name != self._backup.node and _alive(node, renewed.get(node.name), start)
                else nodes.get(node.name, node)
                for node in api.nodes()
            ]

        return read

    def _await_ready(self) -> None:
        names = [vm.name for vm in self._cluster.vapp.vms if node_kind(vm.name)]
        with self._api() as api:
            self._verdict = await_nodes(
                self._cluster.vcd,
                self._cluster.vapp.href,
                names,
                api=api,
                kube_nodes=self._heard(api),
                clock=self._clock,
                deadline=self._deadline,
                progress=self._progress,
                restarted=True,
            )


def _alive(node: KubeNode, renewed: datetime | None, start: datetime) -> bool:
    """Return whether a node has shown since `start` that it runs."""
    seen = [when for when in (node.heard, renewed) if when is not None]
    return bool(seen) and max(seen) >= start


def refuse_release(kubernetes: str, template: Template) -> None:
    """Refuse a template that is older than the backup, or newer by more than one minor release.

    A template of which nothing is known is taken; the guest compares the versions of etcd.

    Raises:
        Refused: the template does not fit.
    """
    there = template.facts.kubernetes
    wanted, present = _minor(kubernetes), _minor(there)
    if wanted and present and not wanted <= present <= wanted + 1:
        raise Refused(
            f"The backup is of Kubernetes {kubernetes}, and the template '{template.name}' has"
            f" {there}; nothing was changed.",
            hint="Restore with the template that the cluster had.",
        )


def _minor(version: str) -> int:
    found = re.match(r"v?1\.(\d{1,3})(\D|$)", version)
    return int(found[1]) if found else 0
