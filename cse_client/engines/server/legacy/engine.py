"""The legacy protocol: CSE server 2.6.1, and 3.x in legacy mode.

Whatever API version VCD offers: the server's own version decides (`detect`). Paths and keys:
container-service-extension 2.6.1, container_service_extension/request_processor.py and
request_handlers/; nulls are left out, which means the same to the server.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from cse_client import bounds, suggest
from cse_client.engines.server.extension import quoted
from cse_client.engines.server.legacy import documents
from cse_client.engines.server.legacy.parts import (
    complete,
    count,
    hardware,
    leaving,
)
from cse_client.engines.server.legacy.provider import LegacyProvider
from cse_client.engines.server.legacy.reading import LegacyReading
from cse_client.engines.server.served_engine import (
    raise_all,
    refuse_direct_scaling,
    refuse_direct_words,
)
from cse_client.engines.server.traces import Traces, running_task
from cse_client.engines.server.waiting import (
    follow_effect,
    follow_task,
    gone,
    gone_soon,
    refuse_older,
    task_without_answer,
    unanswered,
)
from cse_client.errors import (
    Conflict,
    CseError,
    NotFound,
    Refused,
    SessionInvalid,
    TaskFailed,
    VcdFault,
    WrongUsage,
)
from cse_client.model import (
    CONTROL_PLANE,
    NFS,
    WORKER,
    Cluster,
    ClusterRef,
    ClusterSpec,
    ClusterSummary,
    Progress,
    RunOptions,
)
from cse_client.model.hrefs import href_id
from cse_client.model.nodes import NodesSpec, RemovalSpec
from cse_client.model.server import ServedCluster, ServedDeletion, ServedRemoval
from cse_client.vcd.client import no_compose_right

__all__ = ["LegacyEngine"]


class LegacyEngine(LegacyReading, LegacyProvider):
    """Implements `Engine`, `NodeDetails`, `Upgrading` and `Provider` of `engines.base`."""

    # ---- changing -----------------------------------------------------------------------------

    def create(self, spec: ClusterSpec, options: RunOptions, progress: Progress) -> Cluster:
        """Have the server make the cluster. Raises Conflict where there is one of that name."""
        vdc = spec.vdc or self._session.vdc
        if not vdc:
            raise WrongUsage(
                "No VDC is chosen.",
                hint=f"choose one: {suggest.vcd('vdc use', 'NAME')}, or --vdc NAME",
            )
        refuse_direct_words(spec)
        raise_all(self._check_resources(spec.network, [spec.storage_profile], vdc, spec.org))
        self._check_right(vdc, spec.org)
        ref = ClusterRef(spec.name, vdc, spec.org or self._session.org)
        body = {
            "cluster_name": spec.name,
            "num_workers": spec.workers,
            "network_name": spec.network,
            "enable_nfs": spec.nfs,
            "rollback": options.rollback,
            **self._scope(ref),
            **hardware(spec),
            **self._template(spec),
        }

        what = f"creation of cluster '{spec.name}'"
        began = self._vcd.clock.monotonic()
        looks: list[bool] = []

        def made() -> bool:
            try:
                now = self._read(ref)
            except NotFound:
                if any(looks):
                    raise TaskFailed(
                        f"the {what} failed: the cluster was there and is gone",
                        hint=suggest.cse("cluster list"),
                    ) from None
                looks.append(False)
                return False
            if not looks:
                href = documents.text(now.document, "vapp_href")
                refuse_older(self._vcd, spec.name, href, began)
            looks.append(True)
            return complete(now, spec.workers)

        answer = self._carry_out(
            "POST", "/clusters", what, body, options, progress, made, seen=lambda: any(looks)
        )
        return self._result(ref, answer, options)

    def resize(self, spec: NodesSpec, options: RunOptions, progress: Progress) -> Cluster:
        """Bring the number of workers to `spec.workers`.

        The server's own resize only grows; to shrink, nodes are deleted by name.
        """
        refuse_direct_scaling(spec)
        before = self._read(spec.ref)
        workers = [node.name for node in before.nodes if node.kind == WORKER]
        if spec.workers == len(workers):
            return before
        what = f"resizing of cluster '{spec.cluster}'"
        self._check_growth(spec, before)
        if spec.workers < len(workers):
            going = leaving(workers, spec)
            return self._shrink(spec.ref, going, options, progress)
        body = {**self._growth(spec, before, options), **self._scope(spec.ref)}
        path = f"/cluster/{quoted(spec.cluster)}"
        answer = self._carry_out(
            "PUT", path, what, body, options, progress,
            lambda: complete(self._read(spec.ref), spec.workers),
        )  # fmt: skip
        return self._result(spec.ref, answer, options)

    def add_nodes(self, spec: NodesSpec, options: RunOptions, progress: Progress) -> Cluster:
        """Add `spec.workers` workers, or NFS nodes where `spec.nfs`."""
        refuse_direct_scaling(spec)
        before = self._read(spec.ref)
        self._check_growth(spec, before)
        kind = NFS if spec.nfs else WORKER
        wanted = count(before, kind) + spec.workers

        def added() -> bool:
            now = self._read(spec.ref)
            return complete(now, 0) and count(now, kind) >= wanted

        body = {
            **self._growth(spec, before, options),
            "enable_nfs": spec.nfs,
            **self._scope(spec.ref),
        }
        answer = self._carry_out(
            "POST", "/nodes", f"addition of nodes to cluster '{spec.cluster}'", body,
            options, progress, added,
        )  # fmt: skip
        return self._result(spec.ref, answer, options)

    def remove_nodes(
        self, spec: RemovalSpec, options: RunOptions, progress: Progress
    ) -> ServedRemoval:
        """Have the server drain and delete nodes. It would accept unknown names, so look first."""
        refuse_direct_scaling(spec)
        present = {node.name: node.kind for node in self._read(spec.ref).nodes}
        unknown = [name for name in spec.nodes if name not in present]
        if unknown:
            raise NotFound(
                f"cluster '{spec.cluster}' has no node {', '.join(unknown)}",
                hint=f"see which there are: {suggest.cse('node list', spec.cluster)}",
            )
        for name in spec.nodes:
            if present[name] == CONTROL_PLANE:
                raise Refused(f"{name} is the control plane of cluster '{spec.cluster}'")
        going = list(dict.fromkeys(spec.nodes))
        answer = self._delete_nodes(spec.ref, going, options, progress)
        return ServedRemoval(spec.cluster, tuple(going), task_href=_unawaited(answer, options))

    def delete(self, ref: ClusterRef, options: RunOptions, progress: Progress) -> ServedDeletion:
        """Have the server delete the cluster, and look that it is gone."""
        name = ref.name
        identity = self._identify(self._shown(ref), ref)

        def deleted() -> bool:
            return gone(lambda: self._read(ref))

        what = f"deletion of cluster '{name}'"
        answer = self._carry_out(
            "DELETE", f"/cluster/{quoted(name)}", what, None, options, progress, deleted,
            query=self._scope(ref), missing=f"cluster '{name}'",
        )  # fmt: skip
        if not options.wait:
            href = _unawaited(answer, options)
            return ServedDeletion(name, name, task_href=href, identity=identity)
        still = f"the cluster {name}, which the server still shows"
        left = () if gone_soon(self._vcd, lambda: self._read(ref)) else (still,)
        return ServedDeletion(name, name, verified_gone=not left, left=left, identity=identity)

    def upgrade(
        self,
        ref: ClusterRef,
        template: str,
        revision: str,
        options: RunOptions,
        progress: Progress,
    ) -> Cluster:
        """Have the server upgrade the cluster to a template of its plan.

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
            **self._scope(ref),
        }

        def upgraded() -> bool:
            now = self._read(ref).summary
            return (now.template, now.template_revision) == (template, revision)

        if self._follow_running(ref, options, progress) and upgraded():
            return self._read(ref)
        try:
            answer = self._carry_out(
                "POST", f"/cluster/{quoted(name)}/action/upgrade", f"upgrade of cluster '{name}'",
                body, options, progress, upgraded, missing=f"cluster '{name}'",
            )  # fmt: skip
        except WrongUsage as wrong:
            # an earlier run may have been interrupted at its very end
            if not upgraded():
                wrong.hint = suggest.cse("cluster upgrade-plan", name)
                raise
            return self._read(ref)
        return self._result(ref, answer, options)

    # ---- inner --------------------------------------------------------------------------------

    def _follow_running(self, ref: ClusterRef, options: RunOptions, progress: Progress) -> bool:
        """Follow to its end what the server is at work on already; say whether there was anything.

        Raises:
            Conflict: there is, and nobody is to wait for it.
        """
        name, shown = ref.name, self._shown(ref)
        nodes = [node.name for node in shown.nodes] if shown is not None else []
        href = running_task(self._vcd, [name, *nodes])
        if not href:
            return False
        if not options.wait:
            raise Conflict(
                f"the CSE server is at work on cluster '{name}' already",
                hint=f"wait for it: {suggest.vcd('task wait', href_id(href))}",
            )
        deadline = self._vcd.clock.monotonic() + bounds.share(options.timeout)
        what = f"change of cluster '{name}' that is under way"
        with contextlib.suppress(NotFound):
            follow_task(self._vcd, href, what=what, deadline=deadline, progress=progress)
        return True

    def _shown(self, ref: ClusterRef) -> ServedCluster | None:
        """Return a cluster, or None where the server cannot show it, which stops no deletion."""
        try:
            return self._read(ref)
        except SessionInvalid:
            raise
        except CseError:
            return None

    def _carry_out(
        self,
        method: str,
        path: str,
        what: str,
        body: Mapping[str, Any] | None,
        options: RunOptions,
        progress: Progress,
        reached: Callable[[], bool],
        *,
        query: Mapping[str, str] | None = None,
        missing: str = "",
        seen: Callable[[], bool] = lambda: False,
    ) -> Mapping[str, Any]:
        """Send a change and follow it to its end; return the server's answer, `{}` without one.

        `reached` looks at the effect, for a change whose answer VCD cut off.
        """
        began = self._vcd.clock.monotonic()
        deadline = began + bounds.share(options.timeout)
        name = str((body or {}).get("cluster_name") or missing.partition("'")[2].rstrip("'"))
        look = suggest.cse("cluster info", name)
        traces = Traces(self._vcd, self._session.user, name, began)

        def follow(traces: Traces | None) -> None:
            follow_effect(
                self._vcd,
                reached,
                what=what,
                deadline=deadline,
                progress=progress,
                look=look,
                traces=traces,
                seen=seen,
            )

        try:
            said = self._server.change(
                method,
                path,
                f"start the {what}",
                deadline=deadline,
                body=body,
                query=query,
                missing=missing,
            )
            if said is None:
                raise VcdFault("the CSE server gave an empty answer", outcome_unknown=True)
        except VcdFault as fault:
            if not fault.outcome_unknown:
                raise
            if not options.wait:
                href = task_without_answer(self._vcd, traces)
                if href:
                    return {"task_href": href}
                raise unanswered(what, look, fault) from None
            follow(traces)
            return {}
        answer = documents.mapping(said, f"the {what}")
        href = documents.text(answer, "task_href")
        if options.wait and href:
            try:
                follow_task(self._vcd, href, what=what, deadline=deadline, progress=progress)
            except NotFound:
                # the administrator's task may be hidden from this user
                follow(None)
        elif options.wait:
            follow(traces)
        return answer

    def _result(
        self, ref: ClusterRef, answer: Mapping[str, Any], options: RunOptions
    ) -> ServedCluster:
        """Return the cluster after a change; without waiting, only what the answer told."""
        if options.wait:
            try:
                return self._read(ref)
            except CseError as error:
                error.notes.append("the change itself has succeeded; only reading it back failed")
                raise
        return ServedCluster(
            summary=ClusterSummary(
                name=ref.name,
                vdc=ref.vdc,
                org=self._scope(ref).get("org_name", ""),
                cluster_id=documents.text(answer, "cluster_id"),
            ),
            document=answer,
            task_href=documents.text(answer, "task_href"),
        )

    def _check_right(self, vdc: str, org: str) -> None:
        """Refuse a user who may not make vApps: the server makes them with the user's own token.

        It only says that the operation is not supported, after it has accepted.
        """
        where = self._vcd.vdc(vdc, org)
        if not self._vcd.vdc_document(where).compose_href:
            raise no_compose_right(where)

    def _check_growth(self, spec: NodesSpec, before: ServedCluster) -> None:
        vdc = before.summary.vdc or spec.vdc or self._session.vdc
        raise_all(self._check_resources(spec.network, [spec.storage_profile], vdc, spec.org))

    def _growth(
        self, spec: NodesSpec, before: ServedCluster, options: RunOptions
    ) -> dict[str, Any]:
        """Return the common part of resize and node creation.

        The server would take its default template, and so mix Kubernetes versions: the cluster's
        own is named where the user named none. The network is required; the vApp tells it.
        """
        body = {
            "cluster_name": spec.cluster,
            "num_workers": spec.workers,
            "network_name": spec.network or self._network(before),
            "rollback": options.rollback,
            **hardware(spec),
            **self._template(spec),
        }
        own = before.summary
        if "template_name" not in body and own.template and own.template_revision:
            body["template_name"] = own.template
            body["template_revision"] = own.template_revision
        return body

    def _template(self, spec: ClusterSpec | NodesSpec) -> dict[str, Any]:
        """Return name and revision of the wanted template, the newest where none was named.

        The server needs both or neither.
        """
        revision = spec.template_revision
        if spec.template and revision is None:
            known = [one.revision for one in self.templates() if one.name == spec.template]
            if not known:
                raise NotFound(
                    f"the CSE server has no template '{spec.template}'",
                    hint=f"`{suggest.cse('template list')}` shows those it has",
                )
            revision = max(known)
        return (
            {"template_name": spec.template, "template_revision": revision} if spec.template else {}
        )

    def _network(self, before: ServedCluster) -> str:
        href = documents.text(before.document, "vapp_href")
        networks = self._vcd.vapp(self._vcd.address(href)).networks if href else ()
        if len(networks) == 1:
            return networks[0]
        raise WrongUsage(
            "Missing option '-n' / '--network'.",
            hint=f"`{suggest.vcd('network list')}` shows the networks of the VDC.",
        )

    def _shrink(
        self,
        ref: ClusterRef,
        going: Sequence[str],
        options: RunOptions,
        progress: Progress,
    ) -> ServedCluster:
        answer = self._delete_nodes(ref, going, options, progress)
        return self._result(ref, answer, options)

    def _delete_nodes(
        self,
        ref: ClusterRef,
        going: Sequence[str],
        options: RunOptions,
        progress: Progress,
    ) -> Mapping[str, Any]:
        def removed() -> bool:
            return not {node.name for node in self._read(ref).nodes} & set(going)

        body = {"cluster_name": ref.name, "node_names": list(going), **self._scope(ref)}
        what = f"deletion of {', '.join(going)} of cluster '{ref.name}'"
        return self._carry_out("DELETE", "/nodes", what, body, options, progress, removed)


def _unawaited(answer: Mapping[str, Any], options: RunOptions) -> str:
    return "" if options.wait else documents.text(answer, "task_href")
