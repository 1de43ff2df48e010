"""Entities to send to a CSE server 3.x, made from options, files and existing entities.

A body holds what the user wishes (`kind`, `metadata`, `spec`), never `status`, which is the
server's. Limits: container-service-extension 3.1.4, cse_def_schema/schema_1_0_0.json and
schema_2_1_0.json.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cse_client import suggest
from cse_client.engines.server.entities.dialects import Dialect, part
from cse_client.engines.server.entities.documents import Found
from cse_client.engines.server.entities.keys import MOST_NODES
from cse_client.errors import CseError, WrongUsage
from cse_client.model import ClusterSpec
from cse_client.model.nodes import NodesSpec

__all__ = [
    "KIND",
    "check_create",
    "check_growth",
    "desired",
    "desired_template",
    "grown",
    "has_template_and_exposure",
    "known_options",
    "new_entity",
    "resized",
    "retemplated",
    "without_nulls",
]

KIND = "native"

#: What an entity can say of the nodes' hardware besides CPUs and memory, by generation.
_KNOWN = ("sizing_policy", "control_plane_sizing_policy")
_KNOWN_SECOND = (*_KNOWN, "control_plane_cpus", "control_plane_memory_mb")


def known_options(dialect: Dialect) -> tuple[str, ...]:
    """Return the fields of `NodeOptions` that a server's entities can say."""
    return _KNOWN_SECOND if dialect.second_generation else _KNOWN


def check_create(dialect: Dialect, spec: ClusterSpec) -> list[CseError]:
    """Return what a server's entities cannot say of a new cluster."""
    found = _too_many(dialect, spec.workers)
    if dialect.second_generation:
        return found + list(_two_sizes(spec))
    for said, option in ((spec.cpus, "--cpu"), (spec.memory_mb, "--memory")):
        if said is not None:
            found.append(
                WrongUsage(
                    f"CSE servers 3.0 take the size of nodes from a sizing policy; {option} is not"
                    " supported.",
                    hint=f"`{suggest.cse('cluster apply', sample=True, native=True)}` shows where a"
                    " sizing_class is specified.",
                )
            )
    return found


def _two_sizes(spec: ClusterSpec) -> Iterator[CseError]:
    """Yield the groups for which both a sizing policy and sizes are said: the schema has either."""
    for control_plane in (False, True):
        wanted = spec.hardware(control_plane=control_plane)
        sizes = [wanted.options[name] for name in ("cpus", "memory_mb") if getattr(wanted, name)]
        if wanted.sizing_policy and sizes:
            yield WrongUsage(
                f"A CSE server takes either {wanted.options['sizing_policy']} or"
                f" {' and '.join(sizes)}, not both.",
                hint=f"Omit {' and '.join(sizes)}.",
            )
            return


def check_growth(
    dialect: Dialect, spec: NodesSpec, shorter: str, *, rollback: bool
) -> list[CseError]:
    """Return what cannot be said of further nodes: the server makes them like the first ones.

    `shorter` is the command line to type instead.
    """
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
            "A CSE server 3.x creates new nodes like the cluster's existing ones, and chooses "
            f"which nodes to remove; not supported: {named}.",
            hint=shorter,
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
    groups = {
        dialect.control_plane: {"count": 1, **common, **_sizes(dialect, spec, control_plane=True)},
        "workers": {"count": spec.workers, **common, **_sizes(dialect, spec, control_plane=False)},
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
    body.update({"topology": groups} if dialect.second_generation else groups)
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


def _sizes(dialect: Dialect, spec: ClusterSpec, *, control_plane: bool) -> dict[str, Any]:
    wanted = spec.hardware(control_plane=control_plane)
    found: dict[str, Any] = {dialect.sizing: wanted.sizing_policy or None}
    if dialect.second_generation:
        found.update(cpu=wanted.cpus, memory=wanted.memory_mb)
    return found


def desired(server: Dialect, one: Found) -> dict[str, Any]:
    """Return what is wished of a cluster that is there, to be changed and sent back.

    The second generation compares the wish with what is there (validator_rde_2_x.py): a wish that
    an earlier change left unfulfilled is brought back to that.
    """
    entity = dict(without_nulls(one.entity))
    entity.pop("status", None)
    entity.setdefault("spec", {})
    if server.payload:
        entity[server.version_key] = server.payload
    if not one.dialect.second_generation:
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
    entity = desired(server, one)
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
    count = one.dialect.group(desired(server, one), group).get("count")
    before = count if isinstance(count, int) else len(one.names(group))
    return resized(server, one, **{group: before + more})


def retemplated(server: Dialect, one: Found, template: str, revision: int) -> dict[str, Any]:
    """Return a cluster's entity with another template."""
    entity = desired(server, one)
    said = {one.dialect.template: template, one.dialect.revision: revision}
    entity["spec"][one.dialect.distribution] = said
    return entity


def desired_template(one: Found) -> tuple[str, str]:
    """Return the template that a cluster of the second generation is being upgraded to.

    Empty for the first generation, whose entity shows it only at the end.
    """
    said = (
        part(one.entity, "spec", one.dialect.distribution) if one.dialect.second_generation else {}
    )
    return str(said.get(one.dialect.template) or ""), str(said.get(one.dialect.revision) or "")


def has_template_and_exposure(one: Found, body: Mapping[str, Any]) -> bool:
    """Return whether a cluster is of the template and as exposed as a body says, if it says."""
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


def _too_many(dialect: Dialect, count: int) -> list[CseError]:
    most = MOST_NODES[dialect.version[0]]
    if count <= most:
        return []
    return [WrongUsage(f"{count} nodes are too many: a CSE server takes {most} at most.")]


def without_nulls(value: Any) -> Any:
    """Return a copy of a document without what is null: VCD's schema of entities refuses it."""
    if isinstance(value, dict):
        return {key: without_nulls(one) for key, one in value.items() if one is not None}
    return value
