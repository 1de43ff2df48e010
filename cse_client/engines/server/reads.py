"""What CSE servers of all releases answer alike, each at its own address: one request each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cse_client.engines.server import documents
from cse_client.engines.server.extension import Extension
from cse_client.model import Template
from cse_client.model.server import UpgradeTarget

__all__ = ["read_kubeconfig", "read_templates", "read_upgrade_plan"]


def read_templates(server: Extension) -> Sequence[Template]:
    """List the templates that the server offers."""
    rows = server.get("/templates", "list the templates")
    return [documents.template(row) for row in documents.mappings(rows, "the list")]


def read_kubeconfig(
    server: Extension, path: str, cluster: str, query: Mapping[str, str] | None = None
) -> str:
    """Return the administrator's kubeconfig that the server fetches from the control plane.

    `path` is the cluster's address, `cluster` its name for messages.

    Raises:
        Refused: the answer holds more than the credentials, such as a command to run.
    """
    document = server.get(
        f"{path}/config",
        f"read the kubeconfig of cluster '{cluster}'",
        query=query,
        missing=f"cluster '{cluster}'",
    )
    return documents.kubeconfig(document, cluster)


def read_upgrade_plan(
    server: Extension, path: str, cluster: str, query: Mapping[str, str] | None = None
) -> Sequence[UpgradeTarget]:
    """List the templates that the server can upgrade a cluster to; arguments as above."""
    rows = server.get(
        f"{path}/upgrade-plan",
        f"plan the upgrade of cluster '{cluster}'",
        query=query,
        missing=f"cluster '{cluster}'",
    )
    return [documents.upgrade_target(row) for row in documents.mappings(rows, "the plan")]
