"""Reading a file that declares a cluster: everything that is wrong with it, at once."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from cse_client import __version__, suggest
from cse_client.content import capitalized, plain
from cse_client.engines.declared.fields import FIELDS, Field, Steps, size_of, value_at
from cse_client.engines.declared.schema import Problems, form_problems
from cse_client.engines.declared.values import (
    LARGEST_MB,
    SIZE_CLAUSE,
    checksum_clause,
    clause_of,
    fits,
    ranges_clause,
    shown,
)
from cse_client.errors import CseError, PreflightFailed, WrongUsage
from cse_client.model import ClusterSpec
from cse_client.model.certificates import ca_certificates
from cse_client.model.declared import Declared, WantedAddon
from cse_client.model.hardware import NodeOptions
from cse_client.model.names import check_name, split_revision
from cse_client.model.pools import (
    DEFAULT_POOL,
    Pool,
    Taint,
    label_problem,
    pool_name_problem,
    taint_problem,
)
from cse_client.model.settings import ClusterSettings
from cse_client.model.ssh_keys import parse_public_key
from cse_client.yamldocs import Path, Places, Reading

__all__ = [
    "API_VERSION",
    "KIND",
    "DeclaredFile",
    "is_declared",
    "is_for_server",
    "read_declared",
]

API_VERSION = "cse-client/v1"
KIND = "Cluster"
_DOMAIN = API_VERSION.partition("/")[0]
_MOST_WORKERS = 500
_WORKERS = 2


@dataclass(frozen=True)
class DeclaredFile:
    """What a file declares, which of it the file states, and where.

    `stated` are paths of keys; what a pool states is known by `pool_keys`.
    """

    declared: Declared
    places: Places
    stated: frozenset[Steps] = frozenset()
    pool_keys: Mapping[str, frozenset[str]] = dataclasses.field(default_factory=dict)
    name: str = ""

    @property
    def cluster(self) -> str:
        """The cluster's name."""
        return self.declared.spec.name

    def as_typed(self, *, vdc: str, org: str, strict: bool) -> DeclaredFile:
        """Return it with the options of a command line: the VDC and the organization, if given.

        Raises:
            WrongUsage: the file states others.
        """
        spec = self.declared.spec
        for noun, typed, stated in (("VDC", vdc, spec.vdc), ("organization", org, spec.org)):
            if typed and stated not in ("", typed):
                raise WrongUsage(
                    f"{capitalized(self.name)} is for {noun} '{stated}', not for '{typed}'."
                )
        spec = replace(spec, vdc=vdc or spec.vdc, org=org or spec.org, strict=strict)
        return replace(self, declared=replace(self.declared, spec=spec))

    def states(self, field: Field) -> bool:
        """Return whether the file states a value."""
        return field.path in self.stated


def is_declared(document: Any) -> bool:
    """Return whether a file is of this format, of whichever version, and not for a CSE server."""
    if not isinstance(document, Mapping):
        return False
    version = document.get("apiVersion")
    ours = isinstance(version, str) and version.partition("/")[0] == _DOMAIN
    return ours or document.get("kind") == KIND


def is_for_server(document: Any) -> bool:
    """Return whether a file says that it is for a CSE server, of whichever release."""
    if not isinstance(document, Mapping):
        return False
    version = document.get("apiVersion")
    theirs = isinstance(version, str) and version.startswith("cse.vmware.com/")
    metadata = document.get("metadata")
    named = isinstance(metadata, Mapping) and "cluster_name" in metadata
    return theirs or named or document.get("kind") == "native" or "api_version" in document


def read_declared(reading: Reading, name: str) -> DeclaredFile:
    """Return what a file declares; `name` is that of the file, for messages.

    Raises:
        WrongUsage, PreflightFailed: it is of another version, or has problems: all of them.
    """
    document, places = reading.value, Places(reading.positions)
    if not isinstance(document, Mapping):
        raise WrongUsage(
            f"{capitalized(name)} does not describe a cluster: it is not a YAML object.",
            hint=_schema_hint(),
        )
    _refuse_version(document, places)
    problems = form_problems(document, places)
    if not problems:
        problems = _Values(document, places).problems()
    if len(problems) == 1:
        raise problems[0][1]
    if problems:
        problems.sort(key=lambda one: one[0])
        raise PreflightFailed(
            f"{capitalized(name)} has {len(problems)} problems; nothing was changed.",
            [error for _line, error in problems],
        )
    return _Values(document, places).file(name)


def _schema_hint() -> str:
    return f"`{suggest.cse('cluster apply', schema=True)}` prints the JSON Schema of such a file."


def _refuse_version(document: Mapping[str, Any], places: Places) -> None:
    version = document.get("apiVersion")
    if not isinstance(version, str) or version == API_VERSION:
        return
    domain, _, number = version.partition("/")
    at = places.at(("apiVersion",))
    if domain == _DOMAIN and number[:1] == "v" and number[1:].isdigit():
        raise WrongUsage(
            f"{at} is {plain(version, 40)}, and cse-client {__version__} reads {API_VERSION}: the"
            " file is for a newer version.",
            hint="Upgrade cse-client.",
        )


class _Values:
    """The values of a file whose form is right."""

    def __init__(self, document: Mapping[str, Any], places: Places) -> None:
        self._document = document
        self._places = places
        self._spec: Mapping[str, Any] = document.get("spec", {})
        self._pools: list[Mapping[str, Any]] = self._spec.get("pools", [])

    # What is wrong

    def problems(self) -> Problems:
        found: Problems = []
        found += [
            (self._places.line(("metadata", "name")), error)
            for error in check_name(self._document["metadata"]["name"])
        ]
        for field in FIELDS:
            value = value_at(self._document, field.path)
            if value is not None:
                clause = clause_of(field, value)
                found += self._wrong(field.path, clause, shown(field, value)) if clause else []
        found += self._proxy_problems()
        found += self._pool_problems()
        found += self._addon_problems()
        return found

    def _wrong(self, path: Path, clause: str, shown: str = "") -> Problems:
        value = f": '{shown}'" if shown else ""
        text = f"{self._places.at(path)} is not valid{value}: {clause}."
        return [(self._places.line(path), WrongUsage(text))]

    def _proxy_problems(self) -> Problems:
        proxy = self._spec.get("proxy", {})
        if proxy.get("noProxy") and not (proxy.get("http") or proxy.get("https")):
            path = ("spec", "proxy", "noProxy")
            text = f"{self._places.at(path)} requires spec.proxy.http or spec.proxy.https."
            return [(self._places.line(path), WrongUsage(text))]
        return []

    def _pool_problems(self) -> Problems:
        found: Problems = []
        seen: dict[str, Path] = {}
        for number, pool in enumerate(self._pools):
            path: Path = ("spec", "pools", number)
            here, name = (*path, "name"), pool["name"]
            if name in seen:
                text = (
                    f"{self._places.at(here)} and {self._places.at(seen[name])} are both '{name}'."
                )
                found.append((self._places.line(here), WrongUsage(text)))
            seen.setdefault(name, here)
            clause = pool_name_problem(name)
            found += self._wrong(here, clause, plain(name, 60)) if clause else []
            for key, most in LARGEST_MB.items():
                if key in pool and not fits(pool[key], most):
                    found += self._wrong((*path, key), SIZE_CLAUSE, str(pool[key])[:40])
            found += self._mark_problems(pool, path)
        workers = sum(pool["size"] for pool in self._pools)
        if workers > _MOST_WORKERS:
            at = self._places.at(("spec", "pools"))
            text = f"{at} have {workers} workers together; the maximum is {_MOST_WORKERS}."
            found.append((self._places.line(("spec", "pools")), WrongUsage(text)))
        return found

    def _mark_problems(self, pool: Mapping[str, Any], path: Path) -> Iterator[tuple[int, CseError]]:
        for key, value in pool.get("labels", {}).items():
            clause = label_problem(key, value)
            yield from self._wrong((*path, "labels", key), clause) if clause else ()
        seen = set()
        for number, raw in enumerate(pool.get("taints", ())):
            taint, here = _taint(raw), (*path, "taints", number)
            clause = taint_problem(taint)
            if not clause and (taint.key, taint.effect) in seen:
                clause = "the pool has another taint with that key and effect"
            seen.add((taint.key, taint.effect))
            yield from self._wrong(here, clause, plain(str(taint), 60)) if clause else ()

    def _addon_problems(self) -> Problems:
        found: Problems = []
        names = []
        for number, raw in enumerate(self._spec.get("addons", ())):
            path: Path = ("spec", "addons", number)
            key, other = ("addresses", "metallb"), ("address", "contour")
            if raw["name"] in names:
                found += self._wrong((*path, "name"), "the file has two entries of it", raw["name"])
            names.append(raw["name"])
            clause = checksum_clause(raw["checksum"]) if "checksum" in raw else ""
            if clause:
                found += self._wrong((*path, "checksum"), clause)
            for option, addon in (key, other):
                if option in raw and raw["name"] != addon:
                    found += self._wrong((*path, option), f"it is for {addon} only")
                elif option in raw:
                    clause = ranges_clause(raw[option], one=option == "address")
                    shown = plain(raw[option], 60)
                    found += self._wrong((*path, option), clause, shown) if clause else []
        return found

    # What it declares

    def file(self, name: str) -> DeclaredFile:
        spec = self._cluster_spec()
        addons = tuple(
            WantedAddon(
                raw["name"],
                raw.get("version", ""),
                raw.get("addresses", ""),
                raw.get("address", ""),
                raw.get("checksum", ""),
            )
            for raw in self._spec.get("addons", ())
        )
        declared = Declared(spec, addons, bool(self._spec.get("deletionProtection")))
        keys = {pool["name"]: frozenset(pool) for pool in self._pools}
        stated = frozenset(_paths_of(self._document))
        return DeclaredFile(declared, self._places, stated, keys, name)

    def _cluster_spec(self) -> ClusterSpec:
        groups: dict[str, dict[str, Any]] = {"": {}, "settings": {}, "node_options": {}}
        for field in FIELDS:
            value = value_at(self._document, field.path)
            if value is not None:
                group, _, name = field.name.rpartition(".")
                groups[group][name] = field.form.read(value)
        plain_values = groups[""]
        template, revision = split_revision(plain_values.pop("template", ""))
        if "ssh_key" in plain_values:
            plain_values["ssh_key"] = parse_public_key(plain_values["ssh_key"]).line
        ca = groups["settings"].get("registry_ca")
        if ca:
            groups["settings"]["registry_ca"] = ca_certificates(ca.encode())
        pools = tuple(_pool(raw) for raw in self._pools)
        metadata = self._document["metadata"]
        spec = ClusterSpec(
            name=metadata["name"],
            network=plain_values.pop("network", ""),
            vdc=metadata.get("vdc", ""),
            org=metadata.get("org", ""),
            template=template,
            template_revision=revision,
            settings=ClusterSettings(**groups["settings"]),
            node_options=NodeOptions(**groups["node_options"]),
            workers=sum(pool.size for pool in pools) if self._pools else _WORKERS,
            **plain_values,
        )
        return replace(spec, pools=() if _is_plain(pools) else pools)


def _is_plain(pools: tuple[Pool, ...]) -> bool:
    """Return whether these are the pools of a cluster that was created without any."""
    return len(pools) == 1 and pools[0] == Pool(DEFAULT_POOL, pools[0].size)


def _pool(raw: Mapping[str, Any]) -> Pool:
    template, revision = split_revision(raw.get("template", ""))
    return Pool(
        name=raw["name"],
        size=raw["size"],
        template=template,
        template_revision=revision,
        cpus=raw.get("cpus"),
        memory_mb=size_of(raw["memory"]) if "memory" in raw else None,
        disk_mb=size_of(raw["disk"]) if "disk" in raw else None,
        sizing_policy=raw.get("sizingPolicy", ""),
        placement_policy=raw.get("placementPolicy", ""),
        storage_profile=raw.get("storageProfile", ""),
        labels=dict(raw.get("labels", {})),
        taints=tuple(map(_taint, raw.get("taints", ()))),
    )


def _taint(raw: Mapping[str, Any]) -> Taint:
    return Taint(raw["key"], raw["effect"], raw.get("value", ""))


def _paths_of(value: Any, above: Steps = ()) -> Iterator[Steps]:
    """Yield the paths of the keys that a document states, those of objects too."""
    if isinstance(value, Mapping):
        for key, one in value.items():
            yield (*above, key)
            yield from _paths_of(one, (*above, key))
