"""The requests that create and change clusters, and when each of them is done."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cse_client import suggest
from cse_client.engines.server.entities import specs
from cse_client.engines.server.entities.documents import SUCCEEDED, Found
from cse_client.engines.server.entities.following import Change, EntityChanges
from cse_client.engines.server.entities.reading import EntityReader
from cse_client.engines.server.extension import quoted
from cse_client.model import ClusterRef, Progress, RunOptions
from cse_client.model.server import ServedCluster

__all__ = ["EntityUpdates"]


class EntityUpdates:
    """Creates and updates entities; `changes` sends the requests and follows them."""

    def __init__(self, reader: EntityReader, changes: EntityChanges) -> None:
        self._reader = reader
        self._changes = changes
        self._dialect = reader.dialect

    def create(
        self,
        ref: ClusterRef,
        body: Mapping[str, Any],
        options: RunOptions,
        progress: Progress,
    ) -> ServedCluster:
        """Ask the server to create the cluster that `body` describes."""
        change = Change(
            "POST",
            "/clusters",
            f"creation of cluster '{ref.name}'",
            look=lambda: self._reader.find(ref),
            done=lambda now: now.phase.endswith(SUCCEEDED),
            body=body,
            show=suggest.cse("cluster info", ref.name),
            vdc=ref.vdc,
            cluster=ref.name,
        )
        return self._changes.send(change, options, progress)

    def update(
        self,
        one: Found,
        body: Mapping[str, Any],
        what: str,
        options: RunOptions,
        progress: Progress,
    ) -> ServedCluster:
        """Ask the server to change a cluster to `body`; `what` names the change as a noun."""
        return self._changes.send(self.change_of(one, body, what), options, progress)

    def change_of(self, one: Found, body: Mapping[str, Any], what: str) -> Change:
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
            look=lambda: self._reader.read(one.id),
            done=done,
            body=body,
            missing=f"cluster '{one.name}'",
            old_task=one.task,
            show=suggest.cse("cluster info", one.name),
            cluster=one.name,
        )

    def delete_nfs(self, one: Found, node: str, options: RunOptions, progress: Progress) -> str:
        """Ask the server to delete one NFS node; return the href of the task."""
        change = Change(
            "DELETE",
            f"/cluster/{quoted(one.id)}/nfs/{quoted(node)}",
            f"deletion of {node} of cluster '{one.name}'",
            look=lambda: self._reader.read(one.id),
            done=lambda now: node not in now.names("nfs"),
            missing=f"node '{node}' of cluster '{one.name}'",
            old_task=one.task,
            show=suggest.cse("cluster info", one.name),
            cluster=one.name,
        )
        return self._changes.send(change, options, progress).task_href

    def resume_upgrade(
        self, one: Found, target: tuple[str, str], options: RunOptions, progress: Progress
    ) -> ServedCluster:
        """Follow an upgrade to its end that the server is at work on already."""
        change = self.change_of(one, one.entity, f"upgrade of cluster '{one.name}'")
        change.old_task = ""
        change.done = lambda now: now.dialect.template_of(now.entity) == target
        change.began = self._reader.vcd.clock.monotonic()
        self._changes.follow(change, one.task, self._changes.deadline(options), progress)
        return self._reader.shown(change.seen or change.look())
