"""A new cluster that begins with a backup: what its creation does besides.

It gets keys of its own: whoever may use the cluster that was backed up may not use this one, nor
the other way round.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from cse_client import suggest
from cse_client.engines.direct import claims
from cse_client.engines.direct.credentials import API_TIMEOUT, admin_credentials
from cse_client.engines.direct.machines import Machines
from cse_client.engines.direct.metadata import recorded_spec, recorded_ssh_key
from cse_client.engines.direct.operations.plan import Step
from cse_client.engines.direct.pools import parse_pools
from cse_client.engines.direct.resolved import Resolved
from cse_client.engines.direct.restorable import Restorable, refuse_release
from cse_client.engines.direct.sending import SnapshotSender, has_failed
from cse_client.errors import ClusterUnreachable, Conflict, CseError, Refused, TimedOut
from cse_client.kube.api import ClusterAPI
from cse_client.kube.parting import Parted, part
from cse_client.model import ClusterSpec, Event, EventKind, Progress, Vm, footprint
from cse_client.model.backups import RestoredSpec
from cse_client.model.endpoints import NO_ADDRESS
from cse_client.model.pools import DEFAULT_POOL, Pool
from cse_client.plurals import counted

__all__ = ["Incoming", "Recorded", "refuse_other_beginning"]

_LOOK_AGAIN = 1.0
#: Seconds in which an API server reads the roles that it grants.
_UNTIL_ROLES = 120.0


class Recorded:
    """What a backup records of the cluster that it was made of."""

    def __init__(self, backup: Restorable) -> None:
        self._backup = backup
        self._record = backup.record
        found = backup.record.get("metadata")
        found = found if isinstance(found, dict) else {}
        self._metadata = {str(key): claims.text(value, 1024) for key, value in found.items()}
        self._spec = recorded_spec(self._metadata)

    def pools(self, wanted: RestoredSpec) -> tuple[Pool, ...]:
        """Return the worker pools of the new cluster, which has none but the default one at first.

        A number of workers that is wanted is that of the default pool, and there are no others.
        """
        workers = self._record.get("workers")
        number = len(workers) if isinstance(workers, list) else 0
        recorded = parse_pools(self._record.get("pools", [])) or (Pool(DEFAULT_POOL, number),)
        return recorded if wanted.workers is None else (Pool(DEFAULT_POOL, wanted.workers),)

    def steps(self, wanted: RestoredSpec) -> list[str]:
        """Return what follows when the new cluster has its first control plane."""
        return [
            *([self.heads_sentence()] if self._backup.heads > 1 else []),
            *(self.pool_sentence(pool) for pool in self.pools(wanted)),
        ]

    def lost(self) -> tuple[str, ...]:
        """Return what the new cluster does not have of the one that was backed up."""
        return (
            f"what was changed in the cluster since {self._backup.created}",
            "its nodes: controllers create the pods on the new ones",
            "kubeconfigs, grants, and CA keys: the new cluster has keys of its own",
            "the API's address, and the addresses of load balancers",
            "tokens of service accounts in Secrets: new ones are issued",
            "the data of persistent volumes: these stay the same disks",
        )

    def heads_sentence(self) -> str:
        """Return that the other control planes are added."""
        return f"Add control planes, one after the other, up to {self._backup.heads}."

    @staticmethod
    def pool_sentence(pool: Pool) -> str:
        """Return that the workers of a pool are created."""
        if not pool.size:
            return f"Record the pool '{pool.name}', without workers."
        return f"Create {counted(pool.size, 'worker')} in the pool '{pool.name}'."

    def spec(self, wanted: RestoredSpec) -> ClusterSpec:
        """Return what the new cluster is created from: a control plane, and no workers yet.

        Raises:
            CseError: the backup does not hold it, because its metadata was damaged.
        """
        recorded = self._spec
        if recorded.damaged or not (wanted.network or recorded.network):
            what = ", ".join(recorded.damaged) or "network"
            raise CseError(
                f"The backup {self._backup.path} has no usable record of the cluster that it was"
                f" made of ({what}), so no new cluster can be made from it."
            )
        return ClusterSpec(
            name=wanted.name,
            vdc=wanted.vdc,
            org=wanted.org,
            network=wanted.network or recorded.network,
            workers=0,
            template=wanted.template or recorded.template,
            template_revision=(wanted.template_revision if wanted.template else recorded.revision),
            ssh_key=recorded_ssh_key(self._metadata),
            cpus=recorded.cpus,
            memory_mb=recorded.memory_mb,
            storage_profile=recorded.storage_profile,
            vip=wanted.vip or ("" if recorded.vip else NO_ADDRESS),
            settings=recorded.settings,
            node_options=recorded.node_options,
            accept_eulas=wanted.accept_eulas,
        )


class Incoming:
    """The backup that a new cluster begins with."""

    def __init__(self, backup: Restorable, progress: Progress) -> None:
        self.backup = backup
        self._progress = progress
        self._done: set[str] = set()

    @property
    def mark(self) -> str:
        """What the metadata of the new cluster says until it is restored."""
        return f"{self.backup.mark}]"

    def check(self, resolved: Resolved) -> None:
        """Refuse a template that the backup does not fit.

        Raises:
            Refused: it does not.
        """
        refuse_release(self.backup, resolved.template)

    def steps(self, machines: Machines) -> list[Step]:
        """Return what comes between the making of the VM and its node's being Ready."""
        return [
            self._step("Send etcd's snapshot to the control plane", machines, self._send),
            self._step("Separate it from the cluster that was backed up", machines, self._part),
        ]

    def _step(self, title: str, machines: Machines, run: Callable[[Machines], Any]) -> Step:
        def once() -> None:
            run(machines)
            self._done.add(title)

        return Step(title, f"{title}.", lambda: title in self._done, once)

    def _send(self, machines: Machines) -> None:
        SnapshotSender(
            self.backup,
            machines.pki(),
            machines.api_address(),
            machines.session,
            lambda: _head(machines),
            machines.clock,
            machines.deadline,
            self._progress,
        ).send()

    def _part(self, machines: Machines) -> None:
        """Do it as soon as the API answers, before anything in the cluster is at work."""
        access = admin_credentials(machines.pki(), machines.api_address(), machines.session)
        refused_until = 0.0
        while True:
            try:
                with ClusterAPI(access, timeout=API_TIMEOUT) as api:
                    self._say(part(api, machines.names()))
                    return
            except ClusterUnreachable as silence:
                if has_failed(_head(machines)):
                    return  # whoever waits for the node says why
                if machines.clock.monotonic() >= machines.deadline:
                    raise TimedOut(
                        f"The API of the new cluster does not answer: {silence.clause}.",
                        hint=suggest.RESUME,
                    ) from None
            except Refused:
                # an API server that has just begun knows no roles yet
                now = machines.clock.monotonic()
                refused_until = refused_until or now + _UNTIL_ROLES
                if now >= refused_until:
                    raise
            machines.clock.sleep(_LOOK_AGAIN)

    def _say(self, parted: Parted) -> None:
        if parted.address_pools:
            self._note(
                "MetalLB's address pools were removed, because the cluster that was backed up may"
                " use them. Specify addresses of this cluster's own with `addon install`."
            )
        if parted.volumes:
            self._note(
                f"Persistent volumes ({parted.volumes}) are the same disks as in the cluster that"
                " was backed up: a node can use one while no VM there has it. They are kept when"
                " their claims are deleted."
            )

    def _note(self, text: str) -> None:
        self._progress(Event(EventKind.WARNING, text))


def _head(machines: Machines) -> Vm | None:
    machines.refresh()
    return machines.head


def refuse_other_beginning(
    name: str, metadata: Mapping[str, str], incoming: Incoming | None
) -> None:
    """Refuse to finish a creation that began with another backup, or with none.

    Raises:
        Conflict: that is so.
    """
    begun = metadata.get(footprint.RESTORE, "")
    if footprint.CLUSTER_ID not in metadata or begun == (incoming.mark if incoming else ""):
        return
    what = "from another backup" if begun and incoming else "from a backup"
    if not begun:
        what = "without a backup"
    raise Conflict(
        f"An unfinished cluster '{name}' was started {what}.",
        hint="Repeat the first command to finish it, or: " + suggest.cse("cluster delete", name),
    )
