"""The entities protocol: CSE servers 3.0.x at API 35, 3.1.x at API 35 and 36.

A cluster is a runtime defined entity of VCD; the server carries out what its `spec` wishes.
Addresses and bodies: container-service-extension 3.0.5 and 3.1.4,
container_service_extension/client/cse_client/api_35/native_cluster_api.py and
server/request_handlers/.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from cse_client import suggest
from cse_client.engines.server.detect import Detection
from cse_client.engines.server.entities import documents, specs
from cse_client.engines.server.entities.applying import FileApplication
from cse_client.engines.server.entities.checks import EntityChecks, collect
from cse_client.engines.server.entities.documents import Found
from cse_client.engines.server.entities.following import Change, EntityChanges, idle
from cse_client.engines.server.entities.provider import EntityProvider
from cse_client.engines.server.entities.reading import EntityReader
from cse_client.engines.server.entities.sharing import EntitySharing
from cse_client.engines.server.entities.updates import EntityUpdates
from cse_client.engines.server.extension import quoted
from cse_client.engines.server.served_engine import (
    ServedEngine,
    refuse_direct_options,
    refuse_direct_scaling,
)
from cse_client.engines.server.vdcs import check_network_and_profiles
from cse_client.engines.server.waiting import gone_soon
from cse_client.errors import WrongUsage, raise_all
from cse_client.model import (
    Cluster,
    ClusterRef,
    ClusterSpec,
    Progress,
    RunOptions,
    Session,
)
from cse_client.model.nodes import NodesSpec, RemovalSpec
from cse_client.model.server import ServedCluster, ServedDeletion, ServedRemoval, Share
from cse_client.vcd.client import VcdClient
from cse_client.yamlplaces import Path, Position

__all__ = ["EntityEngine"]


class EntityEngine(ServedEngine):
    """Implements `Engine`, `NodeDetails`, `Upgrading`, `Provider` and `Entities`.

    It checks and describes changes; its parts read, send and follow them.
    """

    _reader: EntityReader
    _provider: EntityProvider

    def __init__(
        self, vcd: VcdClient, session: Session, detection: Detection, *, reason: str = ""
    ) -> None:
        reader = EntityReader(vcd, session, detection)
        protocol = f"entities of type {reader.dialect.version}"
        super().__init__(reader, EntityProvider(reader), reason=reason, protocol=protocol)
        self._checks = EntityChecks(reader)
        self._changes = EntityChanges(reader)
        self._updates = EntityUpdates(reader, self._changes)
        self._files = FileApplication(reader, self._checks, self._updates)
        self._sharing = EntitySharing(reader)
        self._dialect = reader.dialect
        self.entity_type = reader.dialect.version

    def create(self, spec: ClusterSpec, options: RunOptions, progress: Progress) -> Cluster:
        """Ask the server to create the cluster.

        Looks first for what the server would only meet after it has accepted: the network, and
        with API 36 the name.

        Raises:
            Conflict: there is one of that name.
            PreflightFailed: several things are wrong.
        """
        vdc = spec.vdc or self._session.vdc
        if not vdc:
            raise WrongUsage(
                "No VDC is chosen.",
                hint=f"Use --vdc NAME, or: {suggest.vcd('vdc use', 'NAME')}",
            )
        refuse_direct_options(spec, specs.known_options(self._dialect))
        org = self._org_of(spec.org)
        ref = ClusterRef(spec.name, vdc, org)
        problems = specs.check_create(self._dialect, spec)
        problems += check_network_and_profiles(
            self._vcd, spec.network, [spec.storage_profile], vdc, org
        )
        problems += self._checks.check_name(ref)
        template = collect(
            problems, lambda: self._checks.choose_template(spec.template, spec.template_revision)
        )
        raise_all(problems)
        body = specs.new_entity(
            self._dialect,
            spec,
            vdc=vdc,
            org=org,
            site=self._reader.site(),
            template=template or ("", 0),
            rollback=options.rollback,
        )
        return self._updates.create(ref, body, options, progress)

    def apply(
        self,
        document: Any,
        options: RunOptions,
        progress: Progress,
        *,
        identity: str = "",
        org: str = "",
        positions: Mapping[Path, Position] | None = None,
    ) -> ServedCluster:
        """Create or update the cluster that a file describes; see `FileApplication.apply`."""
        return self._files.apply(
            document, options, progress, identity=identity, org=org, positions=positions
        )

    def resize(self, spec: NodesSpec, options: RunOptions, progress: Progress) -> Cluster:
        """Scale to `spec.workers` workers; the server chooses the nodes to remove."""
        refuse_direct_scaling(spec)
        shorter = suggest.cse("cluster resize", spec.cluster, nodes=spec.workers)
        raise_all(specs.check_growth(self._dialect, spec, shorter, rollback=options.rollback))
        one = self._reader.find(spec.ref)
        desired = self._dialect.group(one.entity, "workers").get("count")
        if not one.busy and spec.workers == len(one.names("workers")) == desired:
            return self._reader.shown(one)
        body = specs.resized(self._dialect, idle(one), workers=spec.workers)
        return self._updates.update(
            one, body, f"resizing of cluster '{one.name}'", options, progress
        )

    def add_nodes(self, spec: NodesSpec, options: RunOptions, progress: Progress) -> Cluster:
        """Add `spec.workers` workers, or NFS nodes where `spec.nfs`."""
        refuse_direct_scaling(spec)
        shorter = suggest.cse("node create", spec.cluster, nodes=spec.workers, enable_nfs=spec.nfs)
        raise_all(specs.check_growth(self._dialect, spec, shorter, rollback=options.rollback))
        one = idle(self._reader.find(spec.ref))
        group = "nfs" if spec.nfs else "workers"
        body = specs.grown(self._dialect, one, group, spec.workers)
        what = f"addition of nodes to cluster '{one.name}'"
        return self._updates.update(one, body, what, options, progress)

    def plan_remove_nodes(
        self, spec: RemovalSpec, options: RunOptions, _progress: Progress
    ) -> ServedRemoval:
        """Check which nodes are to be removed; see `remove_nodes`."""
        one, going = self._going(spec, options)
        return ServedRemoval(one.name, tuple(going))

    def remove_nodes(
        self, spec: RemovalSpec, options: RunOptions, progress: Progress
    ) -> ServedRemoval:
        """Ask the server to delete NFS nodes; which workers go, it chooses itself.

        Raises:
            WrongUsage: workers were named.
        """
        one, going = self._going(spec, options)
        href = ""
        for name in going:
            href = self._updates.delete_nfs(one, name, options, progress)
        return ServedRemoval(one.name, tuple(going), task_href="" if options.wait else href)

    def _going(self, spec: RemovalSpec, options: RunOptions) -> tuple[Found, list[str]]:
        refuse_direct_scaling(spec)
        one = idle(self._reader.find(spec.ref))
        going = list(dict.fromkeys(spec.nodes))
        self._checks.check_removal(one, going)
        if len(going) > 1 and not options.wait:
            raise WrongUsage(
                "A CSE server 3.x deletes one NFS node at a time: several need to be waited for.",
                hint="Omit -n, or specify one node.",
            )
        return one, going

    def delete_nfs(
        self, ref: ClusterRef, node: str, options: RunOptions, progress: Progress
    ) -> ServedRemoval:
        """Ask the server to delete one NFS node."""
        spec = RemovalSpec(cluster=ref.name, nodes=(node,), vdc=ref.vdc, org=ref.org)
        return self.remove_nodes(spec, options, progress)

    def plan_delete(self, ref: ClusterRef, options: RunOptions) -> ServedDeletion:
        """Return what would be deleted."""
        one = self._to_delete(ref, options)
        vms = tuple(node.name for node in documents.cluster(one).nodes)
        return ServedDeletion(one.name, one.name, vms, cluster_id=one.id)

    def _to_delete(self, ref: ClusterRef, options: RunOptions) -> Found:
        if options.force and not self._dialect.second_generation:
            raise WrongUsage(
                f"{self._detection.release} does not support --force, which came with CSE 3.1 at"
                " API 36."
            )
        return self._reader.find(ref)

    def delete(self, ref: ClusterRef, options: RunOptions, progress: Progress) -> ServedDeletion:
        """Ask the server to delete the cluster, and check that its entity is gone.

        With `options.force` (CSE 3.1) also one that the server cannot delete in order.
        """
        one = self._to_delete(ref, options)
        path = f"/cluster/{quoted(one.id)}"
        change = Change(
            "POST" if options.force else "DELETE",
            f"{path}/action/force-delete" if options.force else path,
            f"deletion of cluster '{one.name}'",
            look=lambda: self._reader.read(one.id),
            done=lambda _now: False,
            missing=f"cluster '{one.name}'",
            show=suggest.cse("cluster info", one.name),
            cluster=one.name,
        )
        found = documents.cluster(one)
        identity = self._identify(found, ClusterRef(one.name, ref.vdc, ref.org))
        href = self._changes.send_deletion(change, options, progress)
        vms = tuple(node.name for node in found.nodes)
        deletion = ServedDeletion(one.name, one.name, vms, cluster_id=one.id, identity=identity)
        if not options.wait:
            return replace(deletion, task_href=href)
        still = f"the entity {one.id}, which VCD still shows"
        left = () if gone_soon(self._vcd, change.look) else (still,)
        return replace(deletion, verified_gone=not left, left=left)

    def upgrade(
        self,
        ref: ClusterRef,
        template: str,
        revision: str,
        options: RunOptions,
        progress: Progress,
    ) -> Cluster:
        """Ask the server to upgrade the cluster to a template of its plan."""
        if not (revision.isascii() and revision.isdigit()):
            raise WrongUsage(f"The template's revision '{revision}' is not a number.")
        found = self._reader.find(ref)
        target = (template, revision)
        settled = not found.busy and not found.failed
        if settled and found.dialect.template_of(found.entity) == target:
            # an earlier run was interrupted at its very end
            return self._reader.shown(found)
        if found.busy and options.wait and specs.desired_template(found) == target:
            return self._updates.resume_upgrade(found, target, options, progress)
        one = idle(found)
        if self._dialect.second_generation:
            self._checks.check_upgrade(one, template, revision)
        body = specs.retemplated(self._dialect, one, template, int(revision))
        change = self._updates.change_of(one, body, f"upgrade of cluster '{one.name}'")
        if not self._dialect.second_generation:
            change.method, change.path = "POST", f"{change.path}/action/upgrade"
        change.done = lambda now: now.dialect.template_of(now.entity) == target
        try:
            return self._changes.send(change, options, progress)
        except WrongUsage as wrong:
            wrong.hint = wrong.hint or suggest.cse("cluster upgrade-plan", one.name)
            raise

    def server_config(self) -> Mapping[str, Any]:
        """Return the server's configuration, as far as it shows it (CSE 3.1)."""
        return self._provider.server_config()

    def reload_templates(self, options: RunOptions, progress: Progress) -> str:
        """Ask the server to reload its templates; return the task's href."""
        return self._provider.reload_templates(options, progress)

    def shares(self, ref: ClusterRef) -> Sequence[Share]:
        """List the users a cluster is shared with, and their access levels."""
        return self._sharing.shares(ref)

    def share(self, ref: ClusterRef, users: Sequence[str], level: str) -> Sequence[Share]:
        """Share a cluster with users; return all users it is then shared with."""
        return self._sharing.share(ref, users, level)

    def unshare(self, ref: ClusterRef, users: Sequence[str]) -> Sequence[Share]:
        """Stop sharing a cluster with users; return the users it is still shared with."""
        return self._sharing.unshare(ref, users)

    # Private

    def _org_of(self, org: str) -> str:
        chosen = org or self._reader.own_org()
        if not chosen:
            raise WrongUsage(
                "No organization is chosen, and a cluster must belong to one.",
                hint=f"Use --org NAME, or: {suggest.vcd('org use', 'NAME')}",
            )
        return chosen
