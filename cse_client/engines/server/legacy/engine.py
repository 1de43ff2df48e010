"""The legacy protocol: CSE server 2.6.1, and 3.x in legacy mode.

Whatever API version VCD offers: the server's own version decides (`detect`). Paths and keys:
container-service-extension 2.6.1, container_service_extension/request_processor.py and
request_handlers/; nulls are left out, which means the same to the server.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cse_client import suggest
from cse_client.engines.lookup import unknown_nodes
from cse_client.engines.server.detect import Detection
from cse_client.engines.server.documents import text
from cse_client.engines.server.extension import quoted
from cse_client.engines.server.legacy.bodies import (
    LegacyBodies,
    complete,
    count,
    hardware,
    leaving,
)
from cse_client.engines.server.legacy.changes import LegacyChanges
from cse_client.engines.server.legacy.provider import LegacyProvider
from cse_client.engines.server.legacy.reading import LegacyReader
from cse_client.engines.server.served_engine import (
    ServedEngine,
    refuse_direct_options,
    refuse_direct_scaling,
)
from cse_client.engines.server.vdcs import check_network_and_profiles
from cse_client.engines.server.waiting import (
    gone,
    gone_soon,
    refuse_older,
)
from cse_client.errors import NotFound, Refused, TaskFailed, WrongUsage, raise_all
from cse_client.model import (
    CONTROL_PLANE,
    NFS,
    WORKER,
    Cluster,
    ClusterRef,
    ClusterSpec,
    Progress,
    RunOptions,
    Session,
)
from cse_client.model.nodes import NodesSpec, RemovalSpec
from cse_client.model.server import ServedDeletion, ServedRemoval
from cse_client.vcd.client import VcdClient

__all__ = ["LegacyEngine"]


class LegacyEngine(ServedEngine):
    """Implements `Engine`, `NodeDetails`, `Upgrading` and `Provider` of `engines.base`."""

    _reader: LegacyReader

    def __init__(
        self, vcd: VcdClient, session: Session, detection: Detection, *, reason: str = ""
    ) -> None:
        reader = LegacyReader(vcd, session, detection)
        provider = LegacyProvider(vcd, session, reader.server)
        super().__init__(reader, provider, reason=reason, protocol="legacy protocol")
        self._changes = LegacyChanges(reader)
        self._bodies = LegacyBodies(reader)

    def create(self, spec: ClusterSpec, options: RunOptions, progress: Progress) -> Cluster:
        """Ask the server to create the cluster.

        Raises:
            Conflict: there is one of that name.
        """
        vdc = spec.vdc or self._session.vdc
        if not vdc:
            raise WrongUsage(
                "No VDC is chosen.",
                hint=f"Use --vdc NAME, or: {suggest.vcd('vdc use', 'NAME')}",
            )
        refuse_direct_options(spec)
        raise_all(
            check_network_and_profiles(
                self._vcd, spec.network, [spec.storage_profile], vdc, spec.org
            )
        )
        self._bodies.check_right(vdc, spec.org)
        ref = ClusterRef(spec.name, vdc, spec.org or self._session.org)
        body = {
            "cluster_name": spec.name,
            "num_workers": spec.workers,
            "network_name": spec.network,
            "enable_nfs": spec.nfs,
            "rollback": options.rollback,
            **self._reader.scope(ref),
            **hardware(spec),
            **self._bodies.template(spec),
        }

        what = f"creation of cluster '{spec.name}'"
        began = self._vcd.clock.monotonic()
        looks: list[bool] = []

        def made() -> bool:
            try:
                now = self._reader.read(ref)
            except NotFound:
                if any(looks):
                    raise TaskFailed(
                        f"The {what} failed: the cluster no longer exists.",
                        hint=suggest.cse("cluster list"),
                    ) from None
                looks.append(False)
                return False
            if not looks:
                href = text(now.document, "vapp_href")
                refuse_older(self._vcd, spec.name, href, began)
            looks.append(True)
            return complete(now, spec.workers)

        answer = self._changes.carry_out(
            "POST", "/clusters", what, body, options, progress, made, seen=lambda: any(looks)
        )
        return self._changes.result(ref, answer, options)

    def resize(self, spec: NodesSpec, options: RunOptions, progress: Progress) -> Cluster:
        """Scale to `spec.workers` workers.

        The server's own resize only grows; to shrink, nodes are deleted by name.
        """
        refuse_direct_scaling(spec)
        before = self._reader.read(spec.ref)
        workers = [node.name for node in before.nodes if node.kind == WORKER]
        if spec.workers == len(workers):
            return before
        what = f"resizing of cluster '{spec.cluster}'"
        self._bodies.check_growth(spec, before)
        if spec.workers < len(workers):
            going = leaving(workers, spec)
            answer = self._changes.delete_nodes(spec.ref, going, options, progress)
            return self._changes.result(spec.ref, answer, options)
        body = {**self._bodies.growth(spec, before, options), **self._reader.scope(spec.ref)}
        path = f"/cluster/{quoted(spec.cluster)}"
        answer = self._changes.carry_out(
            "PUT", path, what, body, options, progress,
            lambda: complete(self._reader.read(spec.ref), spec.workers),
        )  # fmt: skip
        return self._changes.result(spec.ref, answer, options)

    def add_nodes(self, spec: NodesSpec, options: RunOptions, progress: Progress) -> Cluster:
        """Add `spec.workers` workers, or NFS nodes where `spec.nfs`."""
        refuse_direct_scaling(spec)
        before = self._reader.read(spec.ref)
        self._bodies.check_growth(spec, before)
        kind = NFS if spec.nfs else WORKER
        wanted = count(before, kind) + spec.workers

        def added() -> bool:
            now = self._reader.read(spec.ref)
            return complete(now, 0) and count(now, kind) >= wanted

        body = {
            **self._bodies.growth(spec, before, options),
            "enable_nfs": spec.nfs,
            **self._reader.scope(spec.ref),
        }
        answer = self._changes.carry_out(
            "POST", "/nodes", f"addition of nodes to cluster '{spec.cluster}'", body,
            options, progress, added,
        )  # fmt: skip
        return self._changes.result(spec.ref, answer, options)

    def plan_remove_nodes(
        self, spec: RemovalSpec, _options: RunOptions, _progress: Progress
    ) -> ServedRemoval:
        """Check the names of nodes, as the server does not."""
        refuse_direct_scaling(spec)
        present = {node.name: node.kind for node in self._reader.target(spec.ref).nodes}
        unknown = [name for name in spec.nodes if name not in present]
        if unknown:
            raise unknown_nodes(spec.cluster, unknown)
        for name in spec.nodes:
            if present[name] == CONTROL_PLANE:
                raise Refused(f"Node {name} is the control plane of cluster '{spec.cluster}'.")
        return ServedRemoval(spec.cluster, tuple(dict.fromkeys(spec.nodes)))

    def remove_nodes(
        self, spec: RemovalSpec, options: RunOptions, progress: Progress
    ) -> ServedRemoval:
        """Ask the server to drain and delete nodes."""
        going = list(self.plan_remove_nodes(spec, options, progress).nodes)
        answer = self._changes.delete_nodes(spec.ref, going, options, progress)
        return ServedRemoval(spec.cluster, tuple(going), task_href=_unawaited(answer, options))

    def plan_delete(self, ref: ClusterRef, _options: RunOptions) -> ServedDeletion:
        """Return what is known of a cluster that is to be deleted."""
        found = self._changes.shown(ref)
        vms = () if found is None else tuple(node.name for node in found.nodes)
        return ServedDeletion(ref.name, ref.name, vms)

    def delete(self, ref: ClusterRef, options: RunOptions, progress: Progress) -> ServedDeletion:
        """Ask the server to delete the cluster, and check that it is gone."""
        name = ref.name
        identity = self._identify(self._changes.shown(ref), ref)

        def deleted() -> bool:
            return gone(lambda: self._reader.read(ref))

        what = f"deletion of cluster '{name}'"
        answer = self._changes.carry_out(
            "DELETE", f"/cluster/{quoted(name)}", what, None, options, progress, deleted,
            query=self._reader.scope(ref), missing=f"cluster '{name}'",
        )  # fmt: skip
        if not options.wait:
            href = _unawaited(answer, options)
            return ServedDeletion(name, name, task_href=href, identity=identity)
        still = f"the cluster {name}, which the server still shows"
        left = () if gone_soon(self._vcd, lambda: self._reader.read(ref)) else (still,)
        return ServedDeletion(name, name, verified_gone=not left, left=left, identity=identity)

    def upgrade(
        self,
        ref: ClusterRef,
        template: str,
        revision: str,
        options: RunOptions,
        progress: Progress,
    ) -> Cluster:
        """Ask the server to upgrade the cluster to a template of its plan.

        The server would begin a second upgrade beside one that it is at work on, so that is
        followed instead.

        Raises:
            Conflict: the server is at work on the cluster, and nobody is to wait for it.
        """
        name = ref.name
        body = {
            "cluster_name": name,
            "template_name": template,
            "template_revision": revision,
            **self._reader.scope(ref),
        }

        def upgraded() -> bool:
            now = self._reader.read(ref).summary
            return (now.template, now.template_revision) == (template, revision)

        if self._changes.follow_running(ref, options, progress) and upgraded():
            return self._reader.read(ref)
        try:
            answer = self._changes.carry_out(
                "POST", f"/cluster/{quoted(name)}/action/upgrade", f"upgrade of cluster '{name}'",
                body, options, progress, upgraded, missing=f"cluster '{name}'",
            )  # fmt: skip
        except WrongUsage as wrong:
            # an earlier run may have been interrupted at its very end
            if not upgraded():
                wrong.hint = suggest.cse("cluster upgrade-plan", name)
                raise
            return self._reader.read(ref)
        return self._changes.result(ref, answer, options)


def _unawaited(answer: Mapping[str, Any], options: RunOptions) -> str:
    return "" if options.wait else text(answer, "task_href")
