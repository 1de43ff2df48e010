"""Changes through the legacy protocol, and following them to their ends."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from cse_client import bounds, suggest
from cse_client.engines.server.documents import mapping, text
from cse_client.engines.server.legacy.reading import LegacyReader
from cse_client.engines.server.traces import Traces, running_task
from cse_client.engines.server.waiting import Unanswered, follow_effect, follow_task, send_change
from cse_client.errors import Conflict, CseError, NotFound, Replaced, SessionInvalid
from cse_client.model import ClusterRef, ClusterSummary, Progress, RunOptions
from cse_client.model.hrefs import href_id
from cse_client.model.server import ServedCluster

__all__ = ["LegacyChanges"]


class LegacyChanges:
    """Sends changes and waits for their ends."""

    def __init__(self, reader: LegacyReader) -> None:
        self._reader = reader

    def carry_out(
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
        began = self._reader.vcd.clock.monotonic()
        deadline = began + bounds.share(options.timeout)
        name = str((body or {}).get("cluster_name") or missing.partition("'")[2].rstrip("'"))
        look = suggest.cse("cluster info", name)
        traces = Traces(self._reader.vcd, self._reader.session.user, name, began)

        def follow(traces: Traces | None) -> None:
            follow_effect(
                self._reader.vcd,
                reached,
                what=what,
                deadline=deadline,
                progress=progress,
                look=look,
                traces=traces,
                seen=seen,
            )

        answer = send_change(
            self._reader.vcd,
            lambda: self._reader.server.change(
                method,
                path,
                f"start the {what}",
                deadline=deadline,
                body=body,
                query=query,
                missing=missing,
            ),
            lambda: follow(traces),
            what=what,
            look=look,
            traces=traces,
            wait=options.wait,
        )
        if isinstance(answer, Unanswered):
            return {"task_href": answer.task_href} if answer.task_href else {}
        document = mapping(answer, f"the {what}")
        href = text(document, "task_href")
        if options.wait and href:
            try:
                follow_task(self._reader.vcd, href, what=what, deadline=deadline, progress=progress)
            except NotFound:
                # the administrator's task may be hidden from this user
                follow(None)
        elif options.wait:
            follow(traces)
        return document

    def delete_nodes(
        self,
        ref: ClusterRef,
        nodes: Sequence[str],
        options: RunOptions,
        progress: Progress,
    ) -> Mapping[str, Any]:
        """Ask the server to drain and delete nodes; return its answer as `carry_out` does."""

        def removed() -> bool:
            return not {node.name for node in self._reader.read(ref).nodes} & set(nodes)

        body = {"cluster_name": ref.name, "node_names": list(nodes), **self._reader.scope(ref)}
        what = f"deletion of {', '.join(nodes)} of cluster '{ref.name}'"
        return self.carry_out("DELETE", "/nodes", what, body, options, progress, removed)

    def follow_running(self, ref: ClusterRef, options: RunOptions, progress: Progress) -> bool:
        """Follow a change that the server is processing already; return whether there was one.

        Raises:
            Conflict: there is, and nobody is to wait for it.
        """
        name, shown = ref.name, self.shown(ref)
        nodes = [node.name for node in shown.nodes] if shown is not None else []
        href = running_task(self._reader.vcd, [name, *nodes])
        if not href:
            return False
        if not options.wait:
            raise Conflict(
                f"The CSE server is already processing cluster '{name}'.",
                hint=f"Wait for it: {suggest.vcd('task wait', href_id(href))}",
            )
        deadline = self._reader.vcd.clock.monotonic() + bounds.share(options.timeout)
        what = f"change of cluster '{name}' that is under way"
        with contextlib.suppress(NotFound):
            follow_task(self._reader.vcd, href, what=what, deadline=deadline, progress=progress)
        return True

    def result(
        self, ref: ClusterRef, answer: Mapping[str, Any], options: RunOptions
    ) -> ServedCluster:
        """Return the cluster after a change; without waiting, only what the answer holds."""
        if options.wait:
            try:
                return self._reader.read(ref)
            except CseError as error:
                error.notes.append("The change itself has succeeded; only reading it back failed.")
                raise
        return ServedCluster(
            summary=ClusterSummary(
                name=ref.name,
                vdc=ref.vdc,
                org=self._reader.scope(ref).get("org_name", ""),
                cluster_id=text(answer, "cluster_id"),
            ),
            document=answer,
            task_href=text(answer, "task_href"),
        )

    def shown(self, ref: ClusterRef) -> ServedCluster | None:
        """Return a cluster, or None where the server cannot show it, which stops no deletion."""
        try:
            return self._reader.target(ref)
        except (Replaced, SessionInvalid):
            raise
        except CseError:
            return None
