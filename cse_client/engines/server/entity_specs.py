"""What a CSE server 3.x is told to make of a cluster: entities from options, files and other ones.

A body holds what the user wishes (`kind`, `metadata`, `spec`), never `status`, which is the
server's. Limits: container-service-extension 3.1.4, cse_def_schema/schema_1_0_0.json and
schema_2_1_0.json.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cse_client.engines.server.entity_dialects import FIRST, Dialect, part
from cse_client.engines.server.entity_documents import Found
from cse_client.errors import CseError, WrongUsage
from cse_client.model import ClusterSpec
from cse_client.model.scaling import NodesSpec

__all__ = [
    "KIND",
    "check_applied",
    "check_create",
    "check_growth",
    "completed",
    "fulfilled",
    "grown",
    "new_entity",
    "place_of",
    "refuse_upgrade",
    "resized",
    "retemplated",
    "wished",
]

KIND = "native"
_MOST_NODES = {"1": 100, "2": 200}
_KEYS = ("api_version", "apiVersion", "kind", "metadata", "spec", "status")
_OTHER_KINDS = {
    "TanzuKubernetesCluster": "vSphere with Tanzu (TKG-S)",
    "TKG+": "TKG+",
    "TKGm": "Tanzu Kubernetes Grid (TKGm)",
}


def check_create(dialect: Dialect, spec: ClusterSpec) -> list[CseError]:
    """Return what a server's entities cannot say of a new cluster."""
    found = _too_many(dialect, spec.workers)
    if dialect.camel:
        return found
    for said, option in ((spec.cpus, "--cpu"), (spec.memory_mb, "--memory")):
        if said is not None:
            found.append(
                WrongUsage(
                    f"CSE servers 3.0 take the size of nodes from a sizing policy: {option} cannot"
                    " be told them.",
                    hint="`vcd cse cluster apply --sample --native` shows where a sizing_class is "
                    "named",
                )
            )
    return found


def check_growth(dialect: Dialect, spec: NodesSpec, *, rollback: bool) -> list[CseError]:
    """Return what cannot be said of further nodes: the server makes them like the first ones."""
    said = {
        "--network": spec.network,
        "--template": spec.template,
        "--ssh-key": spec.ssh_key,
        "--cpu": spec.cpus,
        "--memory": spec.memory_mb,
        "--storage-profile": spec.storage_profile,
        "--nodes-to-remove": spec.remove,
        "--disable-rollback": not rollback,
    }
    options = [option for option, value in said.items() if value]
    if not options:
        return []
    named = ", ".join(options)
    return [
        WrongUsage(
            f"A CSE server 3.x makes new nodes like the cluster's first ones, and chooses itself "
            f"which ones go: {named} cannot be told it.",
            hint=f"vcd cse cluster resize {spec.cluster} --nodes COUNT",
        )
    ]


def new_entity(
    dialect: Dialect,
    spec: ClusterSpec,
    *,
    vdc: str,
    org: str,
    site: str,
    template: tuple[str, int],
    rollback: bool,
) -> dict[str, Any]:
    """Return the entity of a new cluster."""
    common = {dialect.storage: spec.storage_profile or None, dialect.sizing: None}
    sizes: dict[str, Any] = {}
    if dialect.camel:
        sizes = {"cpu": spec.cpus, "memory": spec.memory_mb}
    groups = {
        dialect.control_plane: {"count": 1, **common, **sizes},
        "workers": {"count": spec.workers, **common, **sizes},
        "nfs": {"count": 1 if spec.nfs else 0, **common},
    }
    settings = {
        dialect.network: spec.network,
        dialect.ssh_key: spec.ssh_key or None,
        dialect.rollback: rollback,
    }
    body: dict[str, Any] = {
        "settings": settings,
        dialect.distribution: {dialect.template: template[0], dialect.revision: template[1]},
    }
    body.update({"topology": groups} if dialect.camel else groups)
    metadata = {dialect.name: spec.name, dialect.org: org, dialect.vdc: vdc}
    if dialect.site:
        metadata[dialect.site] = site
    entity = {
        "kind": KIND,
        "metadata": metadata,
        "spec": body,
        dialect.version_key: dialect.payload,
    }
    return dict(without_nulls(entity))


def wished(server: Dialect, one: Found) -> dict[str, Any]:
    """Return what is wished of a cluster that is there, to be changed and sent back.

    The second generation compares the wish with what is there (validator_rde_2_x.py): a wish that
    an earlier change left unfulfilled is brought back to that.
    """
    entity = dict(without_nulls(one.entity))
    entity.pop("status", None)
    entity.setdefault("spec", {})
    if server.payload:
        entity[server.version_key] = server.payload
    if not one.dialect.camel:
        return entity
    spec = entity["spec"]
    there = part(one.entity, "status", "cloudProperties")
    if part(there, "distribution"):
        spec["distribution"] = dict(part(there, "distribution"))
    if isinstance(there.get("exposed"), bool):
        network = spec.setdefault("settings", {}).setdefault("network", {})
        network["expose"] = there["exposed"]
    if one.dialect.nodes(one.entity):
        for group in ("workers", "nfs"):
            said = spec.setdefault("topology", {}).setdefault(group, {})
            said["count"] = len(one.names(group))
    return entity


def resized(server: Dialect, one: Found, **counts: int) -> dict[str, Any]:
    """Return a cluster's entity with other counts of `workers` or `nfs`.

    Raises:
        WrongUsage: the server takes no such number.
    """
    entity = wished(server, one)
    groups = entity["spec"]
    for step in one.dialect.groups[1:]:
        groups = groups.setdefault(step, {})
    for group, count in counts.items():
        for problem in _too_many(server, count):
            raise problem
        groups[group] = {**(groups.get(group) or {}), "count": count}
    return entity


def grown(server: Dialect, one: Found, group: str, more: int) -> dict[str, Any]:
    """Return a cluster's entity with so many more `workers` or `nfs`.

    A server 3.0 makes the difference between two wishes, 3.1 that between wish and nodes.
    """
    count = one.dialect.group(wished(server, one), group).get("count")
    before = count if isinstance(count, int) else len(one.names(group))
    return resized(server, one, **{group: before + more})


def retemplated(server: Dialect, one: Found, template: str, revision: int) -> dict[str, Any]:
    """Return a cluster's entity with another template."""
    entity = wished(server, one)
    said = {one.dialect.template: template, one.dialect.revision: revision}
    entity["spec"][one.dialect.distribution] = said
    return entity


def completed(server: Dialect, document: Any, place: tuple[str, str, str]) -> Any:
    """Return a file's document without its status, and with what it does not say of the place.

    `place` is organization, VDC and site. What is no object is returned as it is.
    """
    if not isinstance(document, dict) or _generation_problem(server, document) is not None:
        return document
    metadata = document.get("metadata")
    if not isinstance(metadata, dict):
        metadata = {}
    keys = (server.org, server.vdc, server.site)
    known = {key: value for key, value in zip(keys, place) if key and value}
    said = {key: value for key, value in metadata.items() if value is not None}
    body = {key: value for key, value in document.items() if key != "status"}
    whole = {
        server.version_key: server.payload,
        "kind": KIND,
        **body,
        "metadata": {**known, **said},
    }
    return without_nulls(whole)


def check_applied(server: Dialect, document: Any) -> list[CseError]:
    """Return what is wrong with a file for `cluster apply`, as far as it can be seen here."""
    sample = "`vcd cse cluster apply --sample --native` prints one to start from"
    if not isinstance(document, dict):
        return [
            WrongUsage("The file does not describe a cluster: it is no YAML object.", hint=sample)
        ]
    kind = document.get("kind")
    if isinstance(kind, str) and kind in _OTHER_KINDS:
        return [
            WrongUsage(
                f"The file describes a cluster of {_OTHER_KINDS[kind]}, and this client makes "
                "native clusters only.",
                hint="kind: native",
            )
        ]
    if kind not in (None, KIND):
        return [WrongUsage(f"The kind '{kind}' is not known.", hint="kind: native")]
    generation = _generation_problem(server, document)
    if generation is not None:
        return [generation]
    problems: list[CseError] = [
        WrongUsage(f"The file says nothing of {'.'.join(path)}.", hint=sample)
        for path in server.required
        if part(document, *path[:-1]).get(path[-1]) in (None, "")
    ]
    strange = [str(key) for key in document if key not in _KEYS]
    if strange:
        problems.append(WrongUsage(f"The file says {', '.join(strange)}, which nobody reads."))
    for group in ("workers", "nfs", server.control_plane):
        count = server.group(document, group).get("count")
        if count is None:
            continue
        if not isinstance(count, int) or isinstance(count, bool) or count < 0:
            problems.append(WrongUsage(f"'{count}' is no number of nodes ({group}.count)."))
        elif group == server.control_plane and count != 1:
            problems.append(WrongUsage("A native cluster has exactly one control plane node."))
        else:
            problems += _too_many(server, count)
    return problems


def fulfilled(one: Found, body: Mapping[str, Any]) -> bool:
    """Say whether a cluster is already what a body wishes, as far as the body says something.

    A count that is left out is the server's default (def_/models.py, rde_2_1_0.py).
    """
    dialect = one.dialect
    if (dialect.version_key not in body) or one.failed:
        return False
    for group, default in (("workers", 0 if dialect.camel else 1), ("nfs", 0)):
        count = dialect.group(body, group).get("count")
        if len(one.names(group)) != (default if count is None else count):
            return False
    if not has_template_and_exposure(one, body):
        return False
    wish = {**part(body, "spec")}
    wish.pop(dialect.distribution, None)
    return _covers(part(one.entity, "spec"), wish)


def has_template_and_exposure(one: Found, body: Mapping[str, Any]) -> bool:
    """Say whether a cluster is of the template and as exposed as a body says, if it says."""
    dialect = one.dialect
    wish = part(body, "spec")
    said = part(wish, dialect.distribution)
    there = dialect.template_of(one.entity)
    for now, then in zip((said.get(dialect.template), said.get(dialect.revision)), there):
        if now is not None and str(now) != then:
            return False
    exposed = part(one.entity, "status", "cloudProperties").get("exposed")
    expose = part(wish, "settings", "network").get("expose")
    return not (isinstance(exposed, bool) and isinstance(expose, bool) and expose != exposed)


def refuse_upgrade(one: Found, body: Mapping[str, Any]) -> None:
    """Refuse another template where the server upgrades by a command only. Raises WrongUsage."""
    if one.dialect.camel:
        return
    said = part(body, "spec", one.dialect.distribution)
    wish = tuple(str(said.get(key) or "") for key in (one.dialect.template, one.dialect.revision))
    if all(wish) and wish != one.dialect.template_of(one.entity):
        raise WrongUsage(
            f"Cluster '{one.name}' is of another template than the file says, and a CSE server 3.0 "
            "does not upgrade by `cluster apply`.",
            hint=f"vcd cse cluster upgrade {one.name} {' '.join(wish)}",
        )


def place_of(dialect: Dialect, document: Mapping[str, Any]) -> tuple[str, str, str]:
    """Return name, VDC and organization of an entity."""
    said = part(document, "metadata")
    name, vdc, org = (str(said.get(key) or "") for key in (dialect.name, dialect.vdc, dialect.org))
    return name, vdc, org


def _generation_problem(server: Dialect, document: Mapping[str, Any]) -> CseError | None:
    """Say whether a file is made for servers of another generation."""
    version = document.get("apiVersion")
    metadata = part(document, "metadata")
    if server.camel and (version is None and FIRST.name in metadata):
        return _made_for("CSE 3.0", server)
    if not server.camel and (version is not None or "orgName" in metadata):
        return _made_for("CSE 3.1", server)
    if server.camel and version not in (None, server.payload):
        older = str(version) == "cse.vmware.com/v2.0"
        if not older:
            return WrongUsage(
                f"The CSE server does not know apiVersion '{version}'.",
                hint=f"apiVersion: {server.payload}",
            )
    return None


def _made_for(release: str, server: Dialect) -> WrongUsage:
    return WrongUsage(
        f"The file is made for a server of {release}, and this one keeps clusters as entities of "
        f"type {server.version}.",
        hint="`vcd cse cluster apply --sample --native` prints a file of the right form",
    )


def _too_many(dialect: Dialect, count: int) -> list[CseError]:
    most = _MOST_NODES[dialect.version[0]]
    if count <= most:
        return []
    return [WrongUsage(f"{count} nodes are too many: a CSE server takes {most} at most.")]


def _covers(there: Any, wish: Any) -> bool:
    """Say whether everything that is wished, and not null, is there."""
    if isinstance(wish, dict):
        found = there if isinstance(there, dict) else {}
        return all(_covers(found.get(key), one) for key, one in wish.items() if key != "count")
    return wish is None or wish == there


def without_nulls(value: Any) -> Any:
    """Return a copy of a document without what is null: VCD's schema of entities refuses it."""
    if isinstance(value, dict):
        return {key: without_nulls(one) for key, one in value.items() if one is not None}
    return value
