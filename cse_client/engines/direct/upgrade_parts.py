"""What an upgrade is made of: its record, what new nodes are made from, and the run itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Optional

from cse_client.clock import Clock
from cse_client.engines.direct.existing import ExistingCluster
from cse_client.engines.direct.locked import LockedCluster
from cse_client.engines.direct.made_of import made_of
from cse_client.engines.direct.members import newest_heads
from cse_client.engines.direct.operation import UPGRADE, Operation
from cse_client.engines.direct.operations.claimed import ClaimedRun
from cse_client.engines.direct.operations.in_place.forward import InPlaceTarget
from cse_client.engines.direct.operations.in_place.upgrade import InPlaceUpgrade, has_return
from cse_client.engines.direct.operations.replace_control_planes import ControlPlaneReplacement
from cse_client.engines.direct.operations.replace_workers import (
    WorkerReplacement,
    further_workers,
)
from cse_client.engines.direct.operations.upgrade import ClusterUpgrade, HeadsUpgrade
from cse_client.engines.direct.resolve import resolve_growth
from cse_client.engines.direct.resolved import Resolved
from cse_client.engines.direct.upgrade_groups import (
    Group,
    groups_of,
    replaced_counts,
    replaced_workers,
)
from cse_client.engines.direct.upgrade_record import new_template
from cse_client.engines.direct.upgrade_targets import release_of
from cse_client.errors import WrongUsage
from cse_client.model import CONTROL_PLANE, Progress, RunOptions, Template, node_kind, silent
from cse_client.model.nodes import NodesSpec
from cse_client.model.upgrades import UpgradeSpec

if TYPE_CHECKING:
    from cse_client.guest.pki import ClusterPKI
    from cse_client.vcd.client import VcdClient

__all__ = ["MadeOf", "UpgradeParts"]

#: What new control planes are made from, None where they stay; and new workers, group by group.
MadeOf = tuple[Optional[Resolved], list[tuple[Group, Resolved]]]


@dataclass(frozen=True)
class UpgradeParts:
    """Prepares upgrades with one user's rights."""

    vcd: VcdClient
    clock: Clock
    templates: Callable[[], Sequence[Template]]

    def begin(
        self, cluster: ExistingCluster, pki: ClusterPKI, template: Template, release: str
    ) -> Operation:
        """Return a new upgrade of a cluster to a template.

        Workers that are of this template already stay.

        Raises:
            ClusterUnreachable: see `made_of`.
        """
        count = len(cluster.control_planes)
        # without a virtual address, nobody leaves
        heads = newest_heads(cluster, pki, count) if cluster.virtual_address else []
        pools = cluster.pools if cluster.records_pools else ()
        desired = cluster.desired_workers
        workers = len(cluster.workers) if desired is None else desired
        done = made_of(cluster, pki, cluster.workers, template)
        return Operation.begin(
            UPGRADE,
            workers=workers,
            before=workers,
            heads=count,
            nodes=(*heads, *replaced_workers(cluster, pools, done)),
            pools=pools,
            counts=replaced_counts(cluster, pools, done),
            template=template.id,
            release=release_of(template),
            before_release=release,
        )

    def run(
        self,
        locked: LockedCluster,
        spec: UpgradeSpec,
        pki: ClusterPKI,
        template: Template | None,
        operation: Operation,
        made_of: MadeOf | None,
        options: RunOptions,
        progress: Progress,
    ) -> ClusterUpgrade:
        """Return a run; without what new nodes are made of, it can only be rolled back.

        For that, `template` may be None.
        """
        cluster = locked.existing
        heads, workers = made_of or (None, [])
        claim = ClaimedRun(
            locked,
            operation,
            options,
            doing=f"upgrading to Kubernetes {operation.release}",
            clock=self.clock,
            progress=progress,
        )
        upgrade: HeadsUpgrade
        if heads is None:
            upgrade = self.in_place(cluster, spec, pki, operation.release, options, progress)
        else:
            upgrade = ControlPlaneReplacement(
                cluster,
                heads,
                operation,
                names=[name for name in operation.nodes if node_kind(name) == CONTROL_PLANE],
                force=spec.force,
                rollback=options.rollback,
                pki=pki,
                deadline=claim.deadline,
                clock=self.clock,
                progress=progress,
            )
        replacements = [
            WorkerReplacement(
                locked,
                resolved,
                operation,
                options,
                names=group.names,
                surge=spec.max_surge,
                force=spec.force,
                pki=pki,
                clock=self.clock,
                progress=progress,
                mark=group.mark(operation),
            )
            for group, resolved in workers
        ]
        return ClusterUpgrade(
            locked,
            operation,
            claim,
            upgrade,
            replacements,
            lambda metadata: {} if template is None else new_template(metadata, template),
            progress,
        )

    def resolve(
        self,
        cluster: ExistingCluster,
        spec: UpgradeSpec,
        template: Template,
        operation: Operation,
        progress: Progress,
    ) -> MadeOf:
        """Return what new control planes and new workers are made from, with room for the surge.

        Without a virtual address, there are no new control planes.
        """
        wanted = NodesSpec(
            spec.cluster,
            operation.workers,
            spec.vdc,
            spec.org,
            template=template.id,
            control_planes=operation.heads,
        )
        # a roll-back makes nothing
        spare = spec.max_surge > 0
        present = {vm.name for vm in cluster.vapp.vms}
        left = any(node_kind(name) == CONTROL_PLANE for name in operation.nodes if name in present)
        heads = None
        if cluster.virtual_address:
            if spec.package_source:
                raise WrongUsage(
                    f"--package-source cannot be used with cluster '{cluster.name}': it has a"
                    " virtual address, so its control planes are replaced."
                )
            heads = resolve_growth(
                self.vcd,
                cluster,
                wanted,
                len(cluster.workers),
                self.templates,
                progress,
                heads=max(1, len(cluster.control_planes), operation.heads + left if spare else 0),
            )
        none = replace(wanted, control_planes=0)
        workers = []
        for group in groups_of(operation):
            mark = group.mark(operation)
            count = further_workers(cluster, group.names, spec.max_surge, mark) if spare else 0
            pool = group.pool
            if pool is not None:
                pool = replace(pool, size=len(cluster.workers_of(pool.name)) + count)
            found = resolve_growth(
                *(self.vcd, cluster, none, len(cluster.workers) + count, self.templates, silent),
                pool=pool,
            )
            workers.append((group, found))
        return heads, workers

    def in_place(
        self,
        cluster: ExistingCluster,
        spec: UpgradeSpec,
        pki: ClusterPKI,
        release: str,
        options: RunOptions,
        progress: Progress,
    ) -> InPlaceUpgrade:
        """Return the upgrade of a control plane that cannot be replaced."""
        target = InPlaceTarget(release, spec.package_source, has_return(cluster, options))
        return InPlaceUpgrade(cluster, pki, target, options, clock=self.clock, progress=progress)
