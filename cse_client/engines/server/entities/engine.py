"""The entities protocol: CSE servers 3.0.x at API 35, 3.1.x at API 35 and 36.

A cluster is a runtime defined entity of VCD; the server carries out what its `spec` wishes.
Addresses and bodies: container-service-extension 3.0.5 and 3.1.4,
container_service_extension/client/cse_client/api_35/native_cluster_api.py and
server/request_handlers/.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from cse_client import suggest
from cse_client.engines.server.entities import documents, files, specs
from cse_client.engines.server.entities.checks import EntityChecks, collect
from cse_client.engines.server.entities.documents import SUCCEEDED, Found
from cse_client.engines.server.entities.following import Change, EntityFollowing, idle
from cse_client.engines.server.entities.provider import EntityProvider
from cse_client.engines.server.entities.reading import ambiguous
from cse_client.engines.server.entities.sharing import EntitySharing
from cse_client.engines.server.extension import quoted
from cse_client.engines.server.served_engine import (
    raise_all,
    refuse_direct_scaling,
    refuse_direct_words,
)
from cse_client.engines.server.waiting import gone_soon
from cse_client.errors import (
    WrongUsage,
)
from cse_client.model import (
    Cluster,
    ClusterRef,
    ClusterSpec,
    Event,
    EventKind,
    Progress,
    RunOptions,
)
from cse_client.model.nodes import NodesSpec, RemovalSpec
from cse_client.model.server import ServedCluster, ServedDeletion, ServedRemoval
from cse_client.yamldocs import Path, Position

__all__ = ["EntityEngine"]


class EntityEngine(EntitySharing, EntityFollowing, EntityChecks, EntityProvider):
    """Implements `Engine`, `NodeDetails`, `Upgrading`, `Provider` and `Entities`."""

    # ---- changing -----------------------------------------------------------------------------

    def create(self, spec: ClusterSpec, options: RunOptions, progress: Progress) -> Cluster:
        """Have the server make the cluster.

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
                hint=f"choose one: {suggest.vcd('vdc use', 'NAME')}, or --vdc NAME",
            )
        refuse_direct_words(spec)
        org = self._org_of(spec.org)
        problems = specs.check_create(self._dialect, spec)
        problems += self._check_resources(spec.network, [spec.storage_profile], vdc, org)
        problems += self._check_free(ClusterRef(spec.name, vdc, org))
        template = collect(problems, lambda: self._template(spec.template, spec.template_revision))
        raise_all(problems)
        body = specs.new_entity(
            self._dialect,
            spec,
            vdc=vdc,
            org=org,
            site=self._site(),
            template=template or ("", 0),
            rollback=options.rollback,
        )
        return self._make(ClusterRef(spec.name, vdc, org), body, options, progress)

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
        """Make the cluster that a file describes, or bring the one that is there to it.

        `identity` is the cluster's id; without it, the cluster is the one of the file's name, VDC
        and organization, which default to `org` and the session's. What the file does not state of
        an existing cluster stays as it is, and nothing is sent where the cluster is so already.
        `positions` are those of the file's values.

        Raises:
            WrongUsage: the file does not describe a cluster of this server's kind.
        """
        problems = files.check_file(self._dialect, document, positions or {})
        if identity:
            raise_all(problems)
            return self._bring(self._find(ClusterRef(identity)), document, options, progress)
        defaults = (org or self._own_org(), self._session.vdc, self._site())
        body: dict[str, Any] = {}
        if isinstance(document, dict) and not problems:
            body = files.completed(self._dialect, document, defaults)
            problems = files.check_metadata(self._dialect, body)
        raise_all(problems)
        ref = files.cluster_of(self._dialect, body)
        if org and org != ref.org:
            raise WrongUsage(f"The file is for organization '{ref.org}', not for '{org}'.")
        suggest.aim_at(
            vdc="" if ref.vdc == self._session.vdc else ref.vdc,
            org="" if ref.org == self._own_org() else ref.org,
        )
        there = self._named(ref)
        if len(there) > 1:
            raise ambiguous(ref.name, there)
        if there:
            return self._bring(there[0], document, options, progress)
        raise_all(files.check_new(self._dialect, body))
        network = str(body["spec"]["settings"][self._dialect.network])
        groups = (self._dialect.control_plane, "workers", "nfs")
        profiles = [self._dialect.group(body, one).get(self._dialect.storage) for one in groups]
        keys = (f"spec.settings.{self._dialect.network}: NAME", f"{self._dialect.storage}: NAME")
        names = [str(one or "") for one in profiles]
        problems = self._check_resources(network, names, ref.vdc, ref.org, hints=keys)
        said = body["spec"][self._dialect.distribution]
        template, revision = said[self._dialect.template], said.get(self._dialect.revision)
        collect(problems, lambda: self._template(template, revision))
        raise_all(problems)
        return self._make(ref, body, options, progress)

    def _bring(
        self, one: Found, document: Mapping[str, Any], options: RunOptions, progress: Progress
    ) -> ServedCluster:
        """Bring a cluster that is there to what a file states."""
        body = files.merged(self._dialect, one, document)
        if not one.busy and files.fulfilled(one, body):
            return documents.cluster(one, server=self._found.seen)
        files.refuse_upgrade(idle(one), body)
        if self._dialect.second_generation:
            self._check_template(one, body)
        going = files.leaving(one, body)
        if going:
            text = (
                f"{going} of the {len(one.names('workers'))} workers of cluster '{one.name}' will "
                "be deleted, as the file states their count"
            )
            progress(Event(EventKind.WARNING, text))
        return self._update(one, body, f"update of cluster '{one.name}'", options, progress)

    def resize(self, spec: NodesSpec, options: RunOptions, progress: Progress) -> Cluster:
        """Bring the number of workers to `spec.workers`; the server chooses who goes."""
        refuse_direct_scaling(spec)
        shorter = suggest.cse("cluster resize", spec.cluster, nodes=spec.workers)
        raise_all(specs.check_growth(self._dialect, spec, shorter, rollback=options.rollback))
        one = self._find(spec.ref)
        wished = self._dialect.group(one.entity, "workers").get("count")
        if not one.busy and spec.workers == len(one.names("workers")) == wished:
            return documents.cluster(one, server=self._found.seen)
        body = specs.resized(self._dialect, idle(one), workers=spec.workers)
        return self._update(one, body, f"resizing of cluster '{one.name}'", options, progress)

    def add_nodes(self, spec: NodesSpec, options: RunOptions, progress: Progress) -> Cluster:
        """Add `spec.workers` workers, or NFS nodes where `spec.nfs`."""
        refuse_direct_scaling(spec)
        shorter = suggest.cse("node create", spec.cluster, nodes=spec.workers, enable_nfs=spec.nfs)
        raise_all(specs.check_growth(self._dialect, spec, shorter, rollback=options.rollback))
        one = idle(self._find(spec.ref))
        group = "nfs" if spec.nfs else "workers"
        body = specs.grown(self._dialect, one, group, spec.workers)
        what = f"addition of nodes to cluster '{one.name}'"
        return self._update(one, body, what, options, progress)

    def remove_nodes(
        self, spec: RemovalSpec, options: RunOptions, progress: Progress
    ) -> ServedRemoval:
        """Have the server delete NFS nodes; which workers go, it chooses itself.

        Raises:
            WrongUsage: workers were named.
        """
        refuse_direct_scaling(spec)
        one = idle(self._find(spec.ref))
        going = list(dict.fromkeys(spec.nodes))
        self._check_going(one, going)
        if len(going) > 1 and not options.wait:
            raise WrongUsage(
                "A CSE server 3.x deletes one NFS node at a time: several need to be waited for.",
                hint="leave out -n, or name one node",
            )
        href = ""
        for name in going:
            href = self._delete_nfs(one, name, options, progress)
        return ServedRemoval(one.name, tuple(going), task_href="" if options.wait else href)

    def delete_nfs(
        self, ref: ClusterRef, node: str, options: RunOptions, progress: Progress
    ) -> ServedRemoval:
        """Have the server delete one NFS node."""
        spec = RemovalSpec(cluster=ref.name, nodes=(node,), vdc=ref.vdc, org=ref.org)
        return self.remove_nodes(spec, options, progress)

    def delete(self, ref: ClusterRef, options: RunOptions, progress: Progress) -> ServedDeletion:
        """Have the server delete the cluster, and look that its entity is gone.

        With `options.force` (CSE 3.1) also one that the server cannot delete in order.
        """
        if options.force and not self._dialect.second_generation:
            raise WrongUsage(
                f"CSE server {self._found.version} at API {self._found.api_version} knows no "
                "--force: it came with CSE 3.1 at API 36."
            )
        one = self._find(ref)
        path = f"/cluster/{quoted(one.id)}"
        change = Change(
            "POST" if options.force else "DELETE",
            f"{path}/action/force-delete" if options.force else path,
            f"deletion of cluster '{one.name}'",
            look=lambda: self._read(one.id),
            done=lambda _now: False,
            missing=f"cluster '{one.name}'",
            show=suggest.cse("cluster info", one.name),
            cluster=one.name,
        )
        found = documents.cluster(one)
        identity = self._identify(found, ClusterRef(one.name, ref.vdc, ref.org))
        href = self._send_deletion(change, options, progress)
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
        """Have the server upgrade the cluster to a template of its plan."""
        if not (revision.isascii() and revision.isdigit()):
            raise WrongUsage(f"The template's revision '{revision}' is no number.")
        found = self._find(ref)
        target = (template, revision)
        settled = not found.busy and not found.failed
        if settled and found.dialect.template_of(found.entity) == target:
            # an earlier run was interrupted at its very end
            return documents.cluster(found, server=self._found.seen)
        if found.busy and options.wait and specs.wished_template(found) == target:
            return self._carry_on(found, target, options, progress)
        one = idle(found)
        if self._dialect.second_generation:
            self._check_plan(one, template, revision)
        body = specs.retemplated(self._dialect, one, template, int(revision))
        change = self._change_of(one, body, f"upgrade of cluster '{one.name}'")
        if not self._dialect.second_generation:
            change.method, change.path = "POST", f"{change.path}/action/upgrade"
        change.done = lambda now: now.dialect.template_of(now.entity) == target
        try:
            return self._send(change, options, progress)
        except WrongUsage as wrong:
            wrong.hint = wrong.hint or suggest.cse("cluster upgrade-plan", one.name)
            raise

    # ---- inner --------------------------------------------------------------------------------

    def _carry_on(
        self, one: Found, target: tuple[str, str], options: RunOptions, progress: Progress
    ) -> ServedCluster:
        """Follow an upgrade to its end that the server is at work on already."""
        change = self._change_of(one, one.entity, f"upgrade of cluster '{one.name}'")
        change.old_task = ""
        change.done = lambda now: now.dialect.template_of(now.entity) == target
        change.began = self._vcd.clock.monotonic()
        self._follow(change, one.task, self._deadline(options), progress)
        return documents.cluster(change.seen or change.look(), server=self._found.seen)

    def _make(
        self,
        ref: ClusterRef,
        body: Mapping[str, Any],
        options: RunOptions,
        progress: Progress,
    ) -> ServedCluster:
        change = Change(
            "POST",
            "/clusters",
            f"creation of cluster '{ref.name}'",
            look=lambda: self._find(ref),
            done=lambda now: now.phase.endswith(SUCCEEDED),
            body=body,
            show=suggest.cse("cluster info", ref.name),
            vdc=ref.vdc,
            cluster=ref.name,
        )
        return self._send(change, options, progress)

    def _update(
        self,
        one: Found,
        body: Mapping[str, Any],
        what: str,
        options: RunOptions,
        progress: Progress,
    ) -> ServedCluster:
        return self._send(self._change_of(one, body, what), options, progress)

    def _change_of(self, one: Found, body: Mapping[str, Any], what: str) -> Change:
        """Return an update that is done when the cluster has what its body wishes to change."""
        wanted = {
            group: count
            for group in ("workers", "nfs")
            if isinstance(count := self._dialect.group(body, group).get("count"), int)
        }

        def done(now: Found) -> bool:
            counted = all(len(now.names(group)) == count for group, count in wanted.items())
            return counted and specs.has_template_and_exposure(now, body)

        return Change(
            "PUT",
            f"/cluster/{quoted(one.id)}",
            what,
            look=lambda: self._read(one.id),
            done=done,
            body=body,
            missing=f"cluster '{one.name}'",
            old_task=one.task,
            show=suggest.cse("cluster info", one.name),
            cluster=one.name,
        )

    def _delete_nfs(self, one: Found, node: str, options: RunOptions, progress: Progress) -> str:
        change = Change(
            "DELETE",
            f"/cluster/{quoted(one.id)}/nfs/{quoted(node)}",
            f"deletion of {node} of cluster '{one.name}'",
            look=lambda: self._read(one.id),
            done=lambda now: node not in now.names("nfs"),
            missing=f"node '{node}' of cluster '{one.name}'",
            old_task=one.task,
            show=suggest.cse("cluster info", one.name),
            cluster=one.name,
        )
        return self._send(change, options, progress).task_href

    def _org_of(self, org: str) -> str:
        chosen = org or self._own_org()
        if not chosen:
            raise WrongUsage(
                "No organization is chosen, and a cluster must belong to one.",
                hint=f"--org NAME, or: {suggest.vcd('org use', 'NAME')}",
            )
        return chosen

    def _site(self) -> str:
        """Return VCD's own name, which entities of the second generation must say."""
        host = self._session.host
        return urlsplit(host).netloc if "://" in host else host
