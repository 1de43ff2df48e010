"""Making clusters, or finishing creations that were interrupted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cse_client import suggest
from cse_client.clock import Clock
from cse_client.engines.direct.lock import ChangedMeanwhile, owner_of
from cse_client.engines.direct.operations.create import Creation
from cse_client.engines.direct.operations.incoming import Incoming, refuse_other_beginning
from cse_client.engines.direct.resolve import resolve_creation
from cse_client.errors import Conflict, Interrupted, NotFinished, WrongUsage
from cse_client.model import Cluster, ClusterSpec, Progress, RunOptions, Session, Template
from cse_client.model.declared import CreationPlan
from cse_client.model.nodes import NodesSpec

if TYPE_CHECKING:
    from cse_client.vcd.client import VcdClient

__all__ = ["ClusterCreations", "refuse_nfs"]


@dataclass(frozen=True)
class ClusterCreations:
    """Makes clusters with one user's rights."""

    vcd: VcdClient
    session: Session
    clock: Clock
    templates: Callable[[], Sequence[Template]]

    def plan(self, spec: ClusterSpec, progress: Progress) -> CreationPlan:
        """Check everything that `create` checks and return its steps as sentences."""
        refuse_nfs(spec)
        creation = self.prepare(spec, RunOptions(), progress)
        resolved = creation.resolved
        if spec.template != resolved.template.id:
            name = f"{resolved.template.catalog}/{resolved.template.name}"
            spec = replace(spec, template=name, template_revision=resolved.template.revision)
        steps = tuple(step.sentence for step in creation.steps() if not step.done())
        return CreationPlan(spec, steps, resolved.needs)

    def create(
        self,
        spec: ClusterSpec,
        options: RunOptions,
        progress: Progress,
        incoming: Incoming | None = None,
    ) -> Cluster:
        """Make the cluster, or finish one whose creation was interrupted.

        With `incoming`, its control plane begins with the objects in a backup.

        Raises:
            WrongUsage: NFS nodes are requested.
            CseError: see `resolve_creation` and `Creation.run`.
        """
        refuse_nfs(spec)
        creation: Creation | None = None
        try:
            creation = self.prepare(spec, options, progress, incoming)
            try:
                creation.run()
            except Conflict as conflict:
                if creation.has_vapp and not isinstance(conflict, ChangedMeanwhile):
                    raise
                # What an earlier run has requested may take effect after this run's check.
                creation = self.prepare(spec, options, progress, incoming)
                if not creation.has_vapp:
                    raise
                creation.run()
            return creation.outcome()
        except (KeyboardInterrupt, NotFinished) as stop:
            state, advice = _standing_of(spec, creation)
            if isinstance(stop, NotFinished):
                stop.notes.append(advice)
                raise
            raise Interrupted(f"Interrupted; cluster '{spec.name}' {state}.", hint=advice) from None

    def prepare(
        self,
        spec: ClusterSpec,
        options: RunOptions,
        progress: Progress,
        incoming: Incoming | None = None,
    ) -> Creation:
        """Check the request against the cloud; return what carries it out."""
        resolved = resolve_creation(
            self.vcd,
            spec,
            self.templates,
            progress,
            owner=owner_of(self.session),
            break_lock=options.break_lock,
        )
        refuse_other_beginning(spec.name, resolved.metadata, incoming)
        if incoming is not None:
            incoming.check(resolved)
        return Creation(
            self.vcd,
            resolved,
            options,
            self.session,
            clock=self.clock,
            progress=progress,
            incoming=incoming,
        )


def _standing_of(spec: ClusterSpec, creation: Creation | None) -> tuple[str, str]:
    """Return how far a creation that ended early has come, and what to do next."""
    if creation is None or not creation.wrote_something:
        return "is not finished", "Nothing was created."
    if not creation.finished():
        remove = suggest.cse("cluster delete", spec.name)
        return (
            "is not finished",
            f"Run the same command again to resume, or delete it: {remove}",
        )
    if spec.seal:
        return "is ready", f"`{suggest.cse('cluster seal', spec.name)}` seals it."
    return "is ready", f"`{suggest.cse('cluster info', spec.name)}` shows it."


def refuse_nfs(spec: ClusterSpec | NodesSpec) -> None:
    """Refuse NFS nodes, which only a CSE server creates.

    Raises:
        WrongUsage: NFS nodes are requested.
    """
    if spec.nfs:
        raise WrongUsage(
            "--enable-nfs is not supported without a CSE server: this client makes no NFS nodes.",
            hint="Leave it out and use an NFS server of your own, or a CSI driver.",
        )
