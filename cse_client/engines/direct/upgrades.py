"""Upgrades of clusters: what one would do, and which one a command begins or resumes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cse_client import suggest
from cse_client.clock import Clock
from cse_client.content import plain
from cse_client.engines.direct.credentials import API_TIMEOUT, open_api
from cse_client.engines.direct.custody import find_pki
from cse_client.engines.direct.describe import inspect_cluster
from cse_client.engines.direct.existing import ExistingCluster
from cse_client.engines.direct.in_place_record import UpgradeRecord, read_record
from cse_client.engines.direct.lock import ClusterLock
from cse_client.engines.direct.locked import LockedCluster
from cse_client.engines.direct.metadata import recorded_template_revision
from cse_client.engines.direct.operation import GROW, UPGRADE, Operation
from cse_client.engines.direct.operations.in_place.upgrade import InPlaceUpgrade
from cse_client.engines.direct.operations.upgrade import ClusterUpgrade
from cse_client.engines.direct.pending import other_first, refuse_during_restore
from cse_client.engines.direct.templates import choose
from cse_client.engines.direct.upgrade_groups import (
    kept_pools,
)
from cse_client.engines.direct.upgrade_obstacles import Findings, find_obstacles
from cse_client.engines.direct.upgrade_parts import MadeOf, UpgradeParts
from cse_client.engines.direct.upgrade_record import Pace, recorded_pace
from cse_client.engines.direct.upgrade_targets import (
    choose_target,
    refuse_unfit,
    release_of,
    short_release,
    targets,
)
from cse_client.errors import Conflict, Refused, raise_all
from cse_client.model import (
    CONTROL_PLANE,
    Event,
    EventKind,
    Progress,
    RunOptions,
    Template,
    footprint,
    node_kind,
    silent,
)
from cse_client.model.server import UpgradeTarget
from cse_client.model.upgrades import Upgraded, UpgradePlan, UpgradeSpec, UpgradeStep

if TYPE_CHECKING:
    from cse_client.guest.pki import ClusterPKI
    from cse_client.vcd.client import VcdClient

__all__ = ["ClusterUpgrades", "only_recorded", "pending_upgrade"]


def pending_upgrade(cluster: ExistingCluster) -> Operation | None:
    """Return the unfinished upgrade of a cluster.

    Raises:
        Conflict: another operation must be finished first.
    """
    refuse_during_restore(cluster)
    unfinished = cluster.unfinished
    if unfinished is None or unfinished.kind == UPGRADE:
        return unfinished
    if unfinished.kind == GROW and len(cluster.workers) >= unfinished.workers:
        return None
    raise other_first(cluster, unfinished)


def only_recorded(cluster: ExistingCluster) -> UpgradeRecord | None:
    """Return the upgrade in place of which nothing but the control plane's own record is left.

    The operation that it belongs to may have been erased, or replaced by another one, with
    --break-lock.

    Raises:
        Conflict: another operation must be finished first.
    """
    if cluster.virtual_address or pending_upgrade(cluster) is not None:
        return None
    return read_record(cluster.metadata)


@dataclass(frozen=True)
class ClusterUpgrades:
    """Upgrades clusters with one user's rights."""

    vcd: VcdClient
    clock: Clock
    templates: Callable[[], Sequence[Template]]

    def targets(self, cluster: ExistingCluster, spec: UpgradeSpec) -> list[UpgradeTarget]:
        """Return what the cluster can be upgraded to; the first one, or the requested, with a plan.

        With a template in `spec`, or an upgrade that is going on, only that one.
        """
        _offered, pki, release, found = self._search(cluster, spec)
        rows = [_row(template) for template in found]
        if rows:
            rows[0] = replace(rows[0], plan=self._plan(cluster, spec, pki, found[0], release))
        return rows

    def plan(self, cluster: ExistingCluster, spec: UpgradeSpec) -> UpgradePlan:
        """Return what `upgrade` would do; without steps where the cluster has it already.

        Raises:
            NotFound: there is no template to upgrade to.
        """
        offered, pki, release, found = self._search(cluster, spec)
        if found:
            return self._plan(cluster, spec, pki, found[0], release)
        refuse_unfit(offered, release, spec.cluster)
        name = cluster.metadata.get(footprint.TEMPLATE_NAME, "")
        revision = recorded_template_revision(cluster.metadata) or 0
        return UpgradePlan(cluster.name, release, release, name, revision)

    def _search(
        self, cluster: ExistingCluster, spec: UpgradeSpec
    ) -> tuple[Sequence[Template], ClusterPKI, str, Sequence[Template]]:
        """Return all templates, the cluster's PKI and release, and the templates that `spec` means.

        Those are the template of an upgrade that is going on, the requested one, or all that fit.
        """
        offered = list(self.templates())
        pki = find_pki(cluster)
        pending = cluster.unfinished if _is_upgrade(cluster.unfinished) else None
        # while an upgrade is going on, its control plane may be off
        release = pending.before_release if pending is not None else self._release(cluster, pki)
        if pending is not None:
            found = [choose(offered, pending.template, None)]
        elif spec.template:
            found = [choose(offered, spec.template, spec.template_revision)]
        else:
            found = targets(
                offered, release, cluster.metadata, keepalived=bool(cluster.virtual_address)
            )
        return offered, pki, release, found

    def upgrade(
        self, locked: LockedCluster, spec: UpgradeSpec, options: RunOptions, progress: Progress
    ) -> Upgraded:
        """Upgrade a cluster, or resume its upgrade.

        Raises:
            Refused, PreflightFailed: something is in the way; nothing was changed.
            Conflict: another operation, or an upgrade to another template, is unfinished.
        """
        cluster = locked.existing
        pending = pending_upgrade(cluster)
        offered = list(self.templates())
        pki = find_pki(cluster)
        if pending is not None:
            template = _same(pending, cluster, spec, offered)
            made_of = self._parts.resolve(cluster, spec, template, pending, progress)
            resumed = self._parts.run(
                locked, spec, pki, template, pending, made_of, options, progress
            )
            return Upgraded(resumed.run())
        release = self._release(cluster, pki)
        chosen = choose_target(
            offered, spec, release, cluster.metadata, keepalived=bool(cluster.virtual_address)
        )
        if chosen is None or _has_already(cluster, chosen, release):
            return Upgraded(inspect_cluster(cluster), changed=False)
        template = chosen
        operation = self._parts.begin(cluster, pki, template, release)
        found: list[MadeOf] = []

        def resolve() -> None:
            found.append(self._parts.resolve(cluster, spec, template, operation, progress))

        findings = self._findings(cluster, spec, pki, template, release, resolve)
        _refuse(cluster, release_of(template), findings, progress)
        (made_of,) = found
        upgrade = self._parts.run(
            locked, spec, pki, template, operation, made_of, options, progress
        )
        upgrade.check()
        return Upgraded(upgrade.run())

    def plan_roll_back(
        self, locked: LockedCluster, spec: UpgradeSpec, options: RunOptions, progress: Progress
    ) -> UpgradePlan:
        """Return from which release `roll_back` would go back to which, and the steps.

        Raises:
            Refused: no upgrade is going on, or it is too late.
        """
        cluster = locked.existing
        record = only_recorded(cluster)
        if record is not None:
            before, after = record.before, record.version
            way = self.recorded(cluster, spec, record, options, progress)
            sentences = way.plan_roll_back()
            if way.has_changed_nothing():
                before = after = way.release()
        else:
            pending, run = self._returning(locked, spec, options, progress)
            before, after = pending.before_release, pending.release
            sentences = run.plan_roll_back()
        steps = tuple(UpgradeStep(text) for text in sentences)
        return UpgradePlan(cluster.name, after, before, "", 0, steps)

    def roll_back(
        self, locked: LockedCluster, spec: UpgradeSpec, options: RunOptions, progress: Progress
    ) -> str:
        """Go back to the release before; return it.

        Raises:
            Refused: no upgrade is going on, or it is too late.
        """
        pending, run = self._returning(locked, spec, options, progress)
        run.roll_back()
        return pending.before_release

    def recorded(
        self,
        cluster: ExistingCluster,
        spec: UpgradeSpec,
        record: UpgradeRecord,
        options: RunOptions,
        progress: Progress,
    ) -> InPlaceUpgrade:
        """Return an upgrade in place of which there is only the record of the control plane."""
        pki = find_pki(cluster)
        return self._parts.in_place(cluster, spec, pki, record.version, options, progress)

    def _returning(
        self, locked: LockedCluster, spec: UpgradeSpec, options: RunOptions, progress: Progress
    ) -> tuple[Operation, ClusterUpgrade]:
        cluster = locked.existing
        pending = pending_upgrade(cluster)
        if pending is None:
            raise Refused(
                f"No upgrade of cluster '{cluster.name}' is unfinished, so there is nothing to roll"
                " back."
            )
        pki = find_pki(cluster)
        template, made_of = None, None
        if cluster.virtual_address:
            # what makes nodes is needed, and no room for any
            template = choose(list(self.templates()), pending.template, None)
            none = replace(spec, max_surge=0)
            made_of = self._parts.resolve(cluster, none, template, pending, progress)
        run = self._parts.run(locked, spec, pki, template, pending, made_of, options, progress)
        return pending, run

    # Private

    @property
    def _parts(self) -> UpgradeParts:
        return UpgradeParts(self.vcd, self.clock, self.templates)

    def _release(self, cluster: ExistingCluster, pki: ClusterPKI) -> str:
        with open_api(cluster, pki, timeout=API_TIMEOUT) as api:
            return short_release(api.version())

    def _findings(
        self,
        cluster: ExistingCluster,
        spec: UpgradeSpec,
        pki: ClusterPKI,
        template: Template,
        release: str,
        resolve: Callable[[], object],
    ) -> Findings:
        def look() -> None:
            resolve()
            if not cluster.virtual_address:
                options = RunOptions(rollback=spec.rollback)
                to = release_of(template)
                self._parts.in_place(cluster, spec, pki, to, options, silent).check()

        with open_api(cluster, pki, timeout=API_TIMEOUT) as api:
            return find_obstacles(
                cluster,
                pki,
                api,
                template,
                release,
                look,
                force=spec.force,
            )

    def _plan(
        self,
        cluster: ExistingCluster,
        spec: UpgradeSpec,
        pki: ClusterPKI,
        template: Template,
        before: str,
    ) -> UpgradePlan:
        """Return what an upgrade to a template would do, or what is left of one."""
        pending = cluster.unfinished
        resumed = _is_upgrade(pending)
        if pending is None and _has_already(cluster, template, before):
            return UpgradePlan(
                cluster.name,
                before,
                before,
                template.name,
                template.revision,
                template_id=template.id,
            )
        if pending is not None and resumed:
            # its control plane may be off
            operation = pending
        else:
            operation = self._parts.begin(cluster, pki, template, before)

        def resolve() -> None:
            self._parts.resolve(cluster, spec, template, operation, silent)

        findings = Findings()
        if not resumed:
            findings = self._findings(cluster, spec, pki, template, before, resolve)
        findings.warnings += kept_pools(cluster, operation.pools)
        findings.obstacles += _others(self.vcd, self.clock, cluster)
        if pending is not None and not resumed:
            findings.add(other_first(cluster, pending))
        present = {vm.name for vm in cluster.vapp.vms}
        nodes = [name for name in operation.nodes if name in present]
        steps = [_step(name, template) for name in nodes]
        done = [f"{name} is replaced." for name in operation.nodes if name not in present]
        if not cluster.virtual_address:
            head = cluster.require_control_plane().name
            options = RunOptions(rollback=spec.rollback)
            way = self._parts.in_place(cluster, spec, pki, operation.release, options, silent)
            before_this, left = way.progress()
            if way.goes_back():
                # the run ends with that
                steps, nodes = [], []
            steps[:0] = [UpgradeStep(text, head) for text in left]
            done[:0] = before_this
            if left:
                nodes.insert(0, head)
        pace = recorded_pace(cluster.metadata)
        return UpgradePlan(
            cluster.name,
            before,
            operation.release,
            template.name,
            template.revision,
            tuple(steps),
            tuple(findings.obstacles),
            tuple(findings.cures.get(text, "") for text in findings.obstacles),
            tuple(findings.warnings),
            _minutes(pace, nodes),
            resumed,
            tuple(done),
            template.id,
            pace.head or None,
            pace.worker or None,
        )


def _is_upgrade(operation: Operation | None) -> bool:
    return operation is not None and operation.kind == UPGRADE


def _has_already(cluster: ExistingCluster, template: Template, release: str) -> bool:
    """Return whether all of a cluster is of a template: an upgrade to it was the last one."""
    recorded = cluster.spec.template_id or template.id
    name = cluster.metadata.get(footprint.TEMPLATE_NAME, "")
    revision = recorded_template_revision(cluster.metadata)
    return (recorded, name, revision, release) == (
        template.id,
        template.name,
        template.revision,
        release_of(template),
    )


def _same(
    pending: Operation, cluster: ExistingCluster, spec: UpgradeSpec, offered: Sequence[Template]
) -> Template:
    """Return the template of an upgrade that is going on.

    Raises:
        Conflict: another one is requested now.
    """
    template = choose(offered, pending.template, None)
    if spec.template:
        asked = choose(offered, spec.template, spec.template_revision)
        if asked.id != pending.template:
            raise Conflict(
                f"Cluster '{cluster.name}' is being upgraded to template '{template.item}', not to"
                f" '{asked.item}'.",
                hint=f"Finish that first: {suggest.cse('cluster upgrade', cluster.name)}",
            )
    return template


def _refuse(cluster: ExistingCluster, release: str, findings: Findings, progress: Progress) -> None:
    for warning in findings.warnings:
        progress(Event(EventKind.WARNING, warning))
    problems = findings.refusals()
    raise_all(
        problems, f"Cluster '{cluster.name}' cannot be upgraded to Kubernetes {plain(release)}"
    )


def _row(template: Template) -> UpgradeTarget:
    facts = template.facts
    return UpgradeTarget(
        template.name,
        str(template.revision),
        release_of(template),
        cni=" ".join(part for part in (facts.cni, facts.cni_version) if part),
    )


def _step(name: str, template: Template) -> UpgradeStep:
    made = f"from '{template.item}'"
    if node_kind(name) == CONTROL_PLANE:
        return UpgradeStep(f"Replace the control plane {name} by a new one {made}.", name)
    return UpgradeStep(f"Replace the worker {name} by a new one {made}.", name)


def _minutes(pace: Pace, nodes: Sequence[str]) -> int | None:
    if not nodes or not (pace.head or pace.worker):
        return None
    heads = sum(node_kind(name) == CONTROL_PLANE for name in nodes)
    workers = len(nodes) - heads
    # both kinds boot and join; the last run of an upgrade may have replaced only one of them
    seconds = heads * (pace.head or pace.worker) + workers * (pace.worker or pace.head)
    return max(1, round(seconds / 60))


def _others(vcd: VcdClient, clock: Clock, cluster: ExistingCluster) -> list[str]:
    lock = ClusterLock(
        vcd, cluster.session, name=cluster.name, vdc_href=cluster.vdc.href, clock=clock
    )
    try:
        lock.refuse_if_held(cluster.metadata)
    except Conflict as held:
        return [held.message]
    return []
