"""Files for `cluster apply`: their form, and what they wish of a cluster that is there or not.

What a file does not state of a cluster that is there stays as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from cse_client import suggest
from cse_client.engines.server.entities.dialects import FIRST, Dialect, part
from cse_client.engines.server.entities.documents import Found
from cse_client.engines.server.entities.keys import check_keys
from cse_client.engines.server.entities.specs import (
    KIND,
    desired,
    has_template_and_exposure,
    without_nulls,
)
from cse_client.errors import CseError, WrongUsage
from cse_client.model import ClusterRef
from cse_client.model.names import check_name
from cse_client.yamlplaces import Path, Position

__all__ = [
    "check_file",
    "check_metadata",
    "check_new",
    "cluster_of",
    "completed",
    "fulfilled",
    "leaving",
    "merged",
    "refuse_upgrade",
]

_OTHER_KINDS = {
    "TanzuKubernetesCluster": "vSphere with Tanzu (TKG-S)",
    "TKG+": "TKG+",
    "TKGm": "Tanzu Kubernetes Grid (TKGm)",
}


def check_file(
    server: Dialect, document: Any, positions: Mapping[Path, Position]
) -> list[CseError]:
    """Return what is wrong with a file's form, whatever there is in the cloud."""
    if not isinstance(document, dict):
        return [
            WrongUsage(
                "The file does not describe a cluster: it is not a YAML object.",
                hint=f"`{_sample()}` prints a sample.",
            )
        ]
    kind = document.get("kind")
    if isinstance(kind, str) and kind in _OTHER_KINDS:
        return [
            WrongUsage(
                f"The file describes a cluster of {_OTHER_KINDS[kind]}, and this client supports "
                "only native clusters.",
                hint="Write `kind: native`.",
            )
        ]
    if kind not in (None, KIND):
        return [WrongUsage(f"The kind '{kind}' is unknown.", hint="Write `kind: native`.")]
    generation = _generation_problem(server, document)
    if generation is not None:
        return [generation]
    problems = check_keys(server, document, positions)
    count = server.group(document, server.control_plane).get("count")
    if isinstance(count, int) and count != 1:
        problems.append(WrongUsage("A native cluster has exactly one control plane node."))
    return problems


def completed(
    server: Dialect, document: Mapping[str, Any], defaults: tuple[str, str, str]
) -> dict[str, Any]:
    """Return a file's document without its status, with the organization, VDC and site filled in.

    `defaults` are those three, for what the file does not state.
    """
    keys = (server.org, server.vdc, server.site)
    known = {key: value for key, value in zip(keys, defaults) if key and value}
    stated = {key: value for key, value in part(document, "metadata").items() if value is not None}
    body = {key: value for key, value in document.items() if key != "status" and value is not None}
    whole = {
        server.version_key: server.payload,
        "kind": KIND,
        **body,
        "metadata": {**known, **stated},
    }
    return dict(without_nulls(whole))


def check_metadata(server: Dialect, body: Mapping[str, Any]) -> list[CseError]:
    """Return what a completed file lacks to find its cluster."""
    return _lacking(body, [path for path in server.required if path[0] == "metadata"])


def check_new(server: Dialect, body: Mapping[str, Any]) -> list[CseError]:
    """Return what is wrong with a completed file, or missing, to make a cluster of it."""
    template = ("spec", server.distribution, server.template)
    lacking = _lacking(body, [path for path in server.required if path[0] == "spec"])
    if part(body, *template[:-1]).get(server.template) is None:
        lacking.append(
            WrongUsage(
                f"The file does not state {'.'.join(template)}.",
                hint=f"`{suggest.cse('template list')}` lists the available ones.",
            )
        )
    return check_name(cluster_of(server, body).name) + lacking


def merged(server: Dialect, one: Found, document: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a file wishes of a cluster that is there, which its body in full is.

    What the file does not state is as it is there: the server would take its default instead, and
    0 is that of the number of workers (rde_2_1_0.py).

    Raises:
        WrongUsage: the file is for another cluster.
    """
    if one.dialect.second_generation != server.second_generation:
        raise WrongUsage(
            f"The cluster with the id {one.id} is kept in another form than this CSE server's."
        )
    there = desired(server, one)
    stated = {key: value for key, value in document.items() if key != "status"}
    for key in (server.name, server.org, server.vdc):
        now, said = part(there, "metadata").get(key), part(document, "metadata").get(key)
        if said not in (None, "") and now not in (None, said):
            raise WrongUsage(
                f"The file states metadata.{key}: {said}, and the cluster with the id {one.id} has "
                f"{now}."
            )
    return dict(_over(there, without_nulls(stated)))


def leaving(one: Found, body: Mapping[str, Any]) -> int:
    """Return how many of a cluster's workers go when it becomes what a body wishes."""
    count = one.dialect.group(body, "workers").get("count")
    return max(0, len(one.names("workers")) - count) if isinstance(count, int) else 0


def fulfilled(one: Found, body: Mapping[str, Any]) -> bool:
    """Return whether a cluster is already what a merged body wishes."""
    dialect = one.dialect
    if (dialect.version_key not in body) or one.failed:
        return False
    for group in ("workers", "nfs"):
        if len(one.names(group)) != dialect.group(body, group).get("count", 0):
            return False
    if not has_template_and_exposure(one, body):
        return False
    wish = {**part(body, "spec")}
    wish.pop(dialect.distribution, None)
    return _covers(part(desired(dialect, one), "spec"), wish)


def refuse_upgrade(one: Found, body: Mapping[str, Any]) -> None:
    """Refuse another template where the server upgrades by a command only.

    Raises:
        WrongUsage: the file names another template.
    """
    if one.dialect.second_generation:
        return
    said = part(body, "spec", one.dialect.distribution)
    wish = tuple(str(said.get(key) or "") for key in (one.dialect.template, one.dialect.revision))
    if all(wish) and wish != one.dialect.template_of(one.entity):
        raise WrongUsage(
            f"Cluster '{one.name}' is of another template than the file says, and a CSE server 3.0 "
            "does not upgrade by `cluster apply`.",
            hint=suggest.cse("cluster upgrade", one.name, *wish),
        )


def cluster_of(dialect: Dialect, document: Mapping[str, Any]) -> ClusterRef:
    """Return which cluster a completed file describes."""
    metadata = part(document, "metadata")
    keys = (dialect.name, dialect.vdc, dialect.org)
    return ClusterRef(*(str(metadata.get(key) or "") for key in keys))


def _generation_problem(server: Dialect, document: Mapping[str, Any]) -> CseError | None:
    """Return whether a file is made for servers of another generation."""
    version = document.get("apiVersion")
    metadata = part(document, "metadata")
    if server.second_generation and (version is None and FIRST.name in metadata):
        return _made_for("CSE 3.0", server)
    if not server.second_generation and (version is not None or "orgName" in metadata):
        return _made_for("CSE 3.1", server)
    if server.second_generation and version not in (None, server.payload):
        older = str(version) == "cse.vmware.com/v2.0"
        if not older:
            return WrongUsage(
                f"The CSE server does not support apiVersion '{version}'.",
                hint=f"Write `apiVersion: {server.payload}`.",
            )
    return None


def _sample() -> str:
    return suggest.cse("cluster apply", sample=True, native=True)


def _made_for(release: str, server: Dialect) -> WrongUsage:
    return WrongUsage(
        f"The file is made for a server of {release}, and this one keeps clusters as entities of "
        f"type {server.version}.",
        hint=f"`{_sample()}` prints a sample for this server.",
    )


def _covers(there: Any, wish: Any) -> bool:
    """Return whether everything that is desired, and not null, is there."""
    if isinstance(wish, dict):
        found = there if isinstance(there, dict) else {}
        return all(_covers(found.get(key), one) for key, one in wish.items() if key != "count")
    return wish is None or wish == there


def _lacking(body: Mapping[str, Any], paths: Iterable[tuple[str, ...]]) -> list[CseError]:
    return [
        WrongUsage(
            f"The file does not state {'.'.join(path)}.",
            hint=f"`{_sample()}` prints a sample.",
        )
        for path in paths
        if part(body, *path[:-1]).get(path[-1]) in (None, "")
    ]


def _over(there: Any, stated: Any) -> Any:
    """Return one document with another's values put over it, key by key."""
    if not isinstance(there, dict) or not isinstance(stated, dict):
        return stated
    return {**there, **{key: _over(there.get(key), value) for key, value in stated.items()}}
