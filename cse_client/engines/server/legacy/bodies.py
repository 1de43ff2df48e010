"""Bodies of the legacy protocol's requests, checks before them, and when a change is done."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cse_client import suggest
from cse_client.engines.lookup import unknown_nodes
from cse_client.engines.server.documents import text
from cse_client.engines.server.legacy.reading import LegacyReader
from cse_client.engines.server.vdcs import check_network_and_profiles
from cse_client.errors import NotFound, WrongUsage, raise_all
from cse_client.model import WORKER, ClusterSpec, RunOptions
from cse_client.model.nodes import NodesSpec
from cse_client.model.server import ServedCluster
from cse_client.plurals import counted
from cse_client.vcd.client import no_compose_right

__all__ = ["LegacyBodies", "complete", "count", "hardware", "leaving"]

#: What a cluster's vApp is called when everything in it runs.
_RUNNING = "POWERED_ON"


def hardware(spec: ClusterSpec | NodesSpec) -> dict[str, Any]:
    """Return what describes the nodes, as far as the user specified them."""
    said: dict[str, Any] = {
        "num_cpu": spec.cpus,
        "mb_memory": spec.memory_mb,
        "storage_profile_name": spec.storage_profile or None,
        "ssh_key": spec.ssh_key or None,
    }
    return {key: value for key, value in said.items() if value is not None}


def complete(cluster: ServedCluster, workers: int) -> bool:
    """Return whether a cluster is all there, as far as the server shows it."""
    return (
        cluster.summary.status == _RUNNING
        and bool(cluster.endpoint)
        and count(cluster, WORKER) >= workers
        and all(node.ip for node in cluster.nodes)
    )


def count(cluster: ServedCluster, kind: str) -> int:
    """Return how many nodes of a kind a cluster has."""
    return sum(node.kind == kind for node in cluster.nodes)


def leaving(workers: Sequence[str], spec: NodesSpec) -> list[str]:
    """Choose the workers to remove: those named first, then the last ones listed."""
    unknown = [name for name in spec.remove if name not in workers]
    if unknown:
        raise unknown_nodes(spec.cluster, unknown, kind="worker")
    named = list(dict.fromkeys(spec.remove))
    surplus = len(workers) - spec.workers
    if len(named) > surplus:
        raise WrongUsage(
            f"--nodes-to-remove names {counted(len(named), 'node')}, but {surplus} must go to leave"
            f" {spec.workers}.",
            hint=f"Specify at most {surplus}, or change --nodes.",
        )
    others = [name for name in reversed(workers) if name not in named]
    return [*named, *others][:surplus]


class LegacyBodies:
    """Describes nodes in the server's keys, with what the user left open filled in."""

    def __init__(self, reader: LegacyReader) -> None:
        self._reader = reader

    def check_right(self, vdc: str, org: str) -> None:
        """Refuse a user who may not make vApps: the server makes them with the user's own token.

        It only says that the operation is not supported, after it has accepted.
        """
        where = self._reader.vcd.surroundings.vdc(vdc, org)
        if not self._reader.vcd.surroundings.vdc_document(where).compose_href:
            raise no_compose_right(where)

    def check_growth(self, spec: NodesSpec, before: ServedCluster) -> None:
        """Check that network and storage profile of new nodes exist in the cluster's VDC."""
        vdc = before.summary.vdc or spec.vdc or self._reader.session.vdc
        raise_all(
            check_network_and_profiles(
                self._reader.vcd, spec.network, [spec.storage_profile], vdc, spec.org
            )
        )

    def growth(self, spec: NodesSpec, before: ServedCluster, options: RunOptions) -> dict[str, Any]:
        """Return the common part of resize and node creation.

        The server would take its default template, and so mix Kubernetes versions: the cluster's
        own is named where the user named none. The network is required, and is read from the vApp.
        """
        body = {
            "cluster_name": spec.cluster,
            "num_workers": spec.workers,
            "network_name": spec.network or self._network(before),
            "rollback": options.rollback,
            **hardware(spec),
            **self.template(spec),
        }
        own = before.summary
        if "template_name" not in body and own.template and own.template_revision:
            body["template_name"] = own.template
            body["template_revision"] = own.template_revision
        return body

    def template(self, spec: ClusterSpec | NodesSpec) -> dict[str, Any]:
        """Return name and revision of the wanted template, the newest where none was named.

        The server needs both or neither.
        """
        revision = spec.template_revision
        if spec.template and revision is None:
            known = [one.revision for one in self._reader.templates() if one.name == spec.template]
            if not known:
                raise NotFound(
                    f"The CSE server has no template '{spec.template}'.",
                    hint=f"`{suggest.cse('template list')}` lists them.",
                )
            revision = max(known)
        return (
            {"template_name": spec.template, "template_revision": revision} if spec.template else {}
        )

    def _network(self, before: ServedCluster) -> str:
        href = text(before.document, "vapp_href")
        networks = (
            self._reader.vcd.vapp(self._reader.vcd.session.address(href)).networks if href else ()
        )
        if len(networks) == 1:
            return networks[0]
        raise WrongUsage(
            "Missing option '-n' / '--network'.",
            hint=f"`{suggest.vcd('network list')}` shows the networks of the VDC.",
        )
