"""Writing the file that declares a cluster."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cse_client.engines.declared.fields import given
from cse_client.engines.declared.reading import API_VERSION, KIND
from cse_client.engines.declared.templates import template_text
from cse_client.model.declared import Declared, WantedAddon
from cse_client.model.hardware import size_text
from cse_client.model.pools import Pool, Taint

__all__ = ["document_of"]


def document_of(declared: Declared) -> dict[str, Any]:
    """Return the document of a file that declares a cluster, in the order of reading."""
    cluster = declared.spec
    metadata = {"name": cluster.name, "vdc": cluster.vdc, "org": cluster.org}
    spec: dict[str, Any] = {}
    for field, value in given(cluster):
        if field.name == "settings.no_proxy" and not cluster.settings.has_proxy:
            continue
        written = template_text(cluster) if field.name == "template" else field.form.write(value)
        _put(spec, field.path[1:], written)
        if field.name == "control_planes":
            spec["pools"] = []
    spec["pools"] = [_pool(pool) for pool in declared.pools]
    if declared.is_protected:
        spec["deletionProtection"] = True
    if declared.addons:
        spec["addons"] = [_addon(addon) for addon in declared.addons]
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {key: value for key, value in metadata.items() if value},
        "spec": spec,
    }


def _put(spec: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    for step in path[:-1]:
        spec = spec.setdefault(step, {})
    spec[path[-1]] = value


def _pool(pool: Pool) -> dict[str, Any]:
    values: Mapping[str, Any] = {
        "template": template_text(pool) if pool.template else "",
        "cpus": pool.cpus,
        "memory": pool.memory_mb and size_text(pool.memory_mb),
        "disk": pool.disk_mb and size_text(pool.disk_mb),
        "storageProfile": pool.storage_profile,
        "sizingPolicy": pool.sizing_policy,
        "placementPolicy": pool.placement_policy,
        "labels": dict(pool.labels),
        "taints": [_taint(one) for one in pool.taints],
    }
    given_values = {key: value for key, value in values.items() if value}
    return {"name": pool.name, "size": pool.size, **given_values}


def _taint(taint: Taint) -> dict[str, str]:
    value = {"value": taint.value} if taint.value else {}
    return {"key": taint.key, **value, "effect": taint.effect}


def _addon(addon: WantedAddon) -> dict[str, str]:
    return {key: value for key, value in vars(addon).items() if value}
