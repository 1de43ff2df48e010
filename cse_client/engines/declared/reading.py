"""Reading a file that declares a cluster: everything that is wrong with it, at once."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from cse_client import __version__, suggest
from cse_client.content import capitalized, plain
from cse_client.engines.declared.checking import taint_of, value_problems
from cse_client.engines.declared.fields import (
    FIELDS,
    OPTION_KEYS,
    POOL_OPTION_KEYS,
    Field,
    Steps,
    size_of,
    value_at,
)
from cse_client.engines.declared.schema import check_form
from cse_client.errors import CseError, PreflightFailed, WrongUsage
from cse_client.model import ClusterSpec
from cse_client.model.certificates import ca_certificates
from cse_client.model.declared import Declared, WantedAddon
from cse_client.model.hardware import NodeOptions
from cse_client.model.names import split_revision
from cse_client.model.pools import DEFAULT_POOL, Pool
from cse_client.model.settings import ClusterSettings
from cse_client.model.ssh_keys import parse_public_key
from cse_client.yamldocs import BadYaml, Reading
from cse_client.yamlplaces import Places

__all__ = [
    "API_VERSION",
    "KIND",
    "DeclaredFile",
    "is_declared",
    "is_for_server",
    "read_declared",
    "refuse_unread",
]

API_VERSION = "cse-client/v1"
KIND = "Cluster"
_DOMAIN = API_VERSION.partition("/")[0]
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

    def key_of(self, option: str, pool: str) -> str:
        """Return the key that means the same as an option of a command; empty if there is none.

        With a `pool`, its own key if it states that. Keys that are stated have their line.
        """
        key = POOL_OPTION_KEYS.get(option, "")
        if key in self.pool_keys.get(pool, ()):
            number = list(self.pool_keys).index(pool)
            return self.places.at(("spec", "pools", number, key))
        text = OPTION_KEYS.get(option, "")
        path = tuple(text.split("."))
        return self.places.at(path) if path in self.stated else text


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
        refuse_unread(reading, name)
        raise WrongUsage(
            f"{capitalized(name)} does not describe a cluster: it is not a YAML object.",
            hint=_schema_hint(),
        )
    _refuse_other_formats(document, places)
    sound, problems = check_form(document, places)
    problems += value_problems(sound, document, places)
    if not problems:
        refuse_unread(reading, name)
    problems += [(one.line, _unread(one)) for one in reading.problems]
    problems.sort(key=lambda one: one[0])
    if len(problems) == 1:
        raise problems[0][1]
    if problems:
        raise _several(name, [error for _line, error in problems])
    return _Values(document, places).file(name)


def refuse_unread(reading: Reading, name: str) -> None:
    """Refuse a file that could not be read as it is meant, with all that was found.

    Raises:
        WrongUsage, PreflightFailed: it has problems of YAML.
    """
    if len(reading.problems) == 1:
        problem = reading.problems[0]
        raise WrongUsage(f"{capitalized(name)} does not describe a cluster: {problem}.")
    if reading.problems:
        raise _several(name, [_unread(one) for one in reading.problems])


def _unread(problem: BadYaml) -> WrongUsage:
    return WrongUsage(f"{capitalized(str(problem))}.")


def _several(name: str, problems: list[CseError]) -> PreflightFailed:
    count = len(problems)
    return PreflightFailed(
        f"{capitalized(name)} has {count} problems; nothing was changed.", problems
    )


def _schema_hint() -> str:
    return f"`{suggest.cse('cluster apply', schema=True)}` prints the JSON Schema of such a file."


def _refuse_other_formats(document: Mapping[str, Any], places: Places) -> None:
    """Refuse a file of another version, or of another program, whose keys mean nothing here.

    Raises:
        WrongUsage: it is one.
    """
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
    if domain != _DOMAIN and document.get("kind") != KIND:
        raise WrongUsage(
            f"{at} must be {API_VERSION}, not '{plain(version, 40)}': the file does not describe a"
            " cluster.",
            hint=_schema_hint(),
        )


class _Values:
    """What a file declares in which nothing is wrong."""

    def __init__(self, document: Mapping[str, Any], places: Places) -> None:
        self._document = document
        self._places = places
        self._spec: Mapping[str, Any] = document.get("spec", {})
        self._pools: list[Mapping[str, Any]] = self._spec.get("pools", [])

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
        taints=tuple(map(taint_of, raw.get("taints", ()))),
    )


def _paths_of(value: Any, above: Steps = ()) -> Iterator[Steps]:
    """Yield the paths of the keys that a document states, those of objects too."""
    if isinstance(value, Mapping):
        for key, one in value.items():
            yield (*above, key)
            yield from _paths_of(one, (*above, key))
