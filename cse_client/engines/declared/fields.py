"""Where each value of a cluster stands in a file, and how it is written there.

The names are those of the values in `ClusterSpec`, with a dot for what is in `settings` and
`node_options`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Union

from cse_client.model import ClusterSpec
from cse_client.model.hardware import megabytes, size_text
from cse_client.model.settings import OPTIONS

__all__ = ["FIELDS", "OPTION_KEYS", "POOL_OPTION_KEYS", "Field", "given", "size_of", "value_at"]

Steps = tuple[str, ...]
Value = Union[str, int, None]


@dataclass(frozen=True)
class Form:
    """How a value is written in a file; `read` gets what the schema allows."""

    read: Callable[[Any], Any]
    write: Callable[[Any], Any]


def size_of(value: int | str) -> int | None:
    """Return the MB that a file states; None where they cannot be meant."""
    size = megabytes(str(value))
    return size or None


def _mirrors(value: Mapping[str, str]) -> str:
    return " ".join(f"{host}={url}" for host, url in value.items())


def _split_mirrors(text: str) -> dict[str, str]:
    return dict(one.split("=", 1) for one in text.split(" "))


def _listed(separator: str) -> Form:
    return Form(separator.join, lambda text: text.split(separator))


_PLAIN = Form(lambda value: value, lambda value: value)
_SIZE = Form(size_of, size_text)
_SPACED, _COMMAS = _listed(" "), _listed(",")
_MIRRORS = Form(_mirrors, _split_mirrors)


@dataclass(frozen=True)
class Field:
    """One value: its name, its path in a file, and the option of `cluster create` for it."""

    name: str
    path: Steps
    option: str
    form: Form = _PLAIN

    def of(self, spec: ClusterSpec) -> Any:
        """Return the value in a cluster; empty or None: the default."""
        found: Any = spec
        for step in self.name.split("."):
            found = getattr(found, step)
        return found


def _field(name: str, path: str, option: str, form: Form = _PLAIN) -> Field:
    return Field(name, ("spec", *path.split(".")), option, form)


def _setting(name: str, path: str, form: Form = _PLAIN) -> Field:
    return _field(f"settings.{name}", path, OPTIONS[name], form)


#: In the order of a file.
FIELDS: tuple[Field, ...] = (
    _field("network", "network", "--network"),
    _field("template", "template", "--template"),
    _field("accept_eulas", "acceptEulas", "--accept-eulas"),
    _field("ssh_key", "sshKey", "--ssh-key"),
    _field("endpoint", "endpoint", "--endpoint"),
    _field("vip", "virtualAddress", "--vip"),
    _setting("pod_cidr", "podCidr"),
    _setting("service_cidr", "serviceCidr"),
    _field("cpus", "nodes.cpus", "--cpu"),
    _field("memory_mb", "nodes.memory", "--memory", _SIZE),
    _field("node_options.disk_mb", "nodes.disk", "--disk-size", _SIZE),
    _field("storage_profile", "nodes.storageProfile", "--storage-profile"),
    _field("node_options.sizing_policy", "nodes.sizingPolicy", "--sizing-policy"),
    _field("node_options.placement_policy", "nodes.placementPolicy", "--placement-policy"),
    _field("control_planes", "controlPlane.count", "--control-planes"),
    _field("node_options.control_plane_cpus", "controlPlane.cpus", "--control-plane-cpu"),
    _field(
        "node_options.control_plane_memory_mb",
        "controlPlane.memory",
        "--control-plane-memory",
        _SIZE,
    ),
    _field(
        "node_options.control_plane_sizing_policy",
        "controlPlane.sizingPolicy",
        "--control-plane-sizing-policy",
    ),
    _field(
        "node_options.control_plane_placement_policy",
        "controlPlane.placementPolicy",
        "--control-plane-placement-policy",
    ),
    _setting("http_proxy", "proxy.http"),
    _setting("https_proxy", "proxy.https"),
    _setting("no_proxy", "proxy.noProxy", _COMMAS),
    _setting("registry_mirrors", "registries.mirrors", _MIRRORS),
    _setting("registry_ca", "registries.ca"),
    _setting("image_repository", "imageRepository"),
    _setting("ntp", "ntp", _SPACED),
    _setting("dns", "dns", _SPACED),
)

#: The keys of a file by the option of `cluster create` that means the same.
OPTION_KEYS: Mapping[str, str] = {
    **{field.option: ".".join(field.path) for field in FIELDS},
    "--nodes": "workers",
}

#: The keys of a pool by the option of `pool create` that means the same.
POOL_OPTION_KEYS: Mapping[str, str] = {
    "--template": "template",
    "--cpu": "cpus",
    "--memory": "memory",
    "--disk-size": "disk",
    "--storage-profile": "storageProfile",
    "--sizing-policy": "sizingPolicy",
    "--placement-policy": "placementPolicy",
}


def given(spec: ClusterSpec) -> Iterator[tuple[Field, Any]]:
    """Yield the values of a cluster that are not the default."""
    for field in FIELDS:
        value = field.of(spec)
        if value not in ("", None, False):
            yield field, value


def value_at(document: Any, path: Steps) -> Any:
    """Return the value at a path of a document, None where there is none."""
    for step in path:
        if not isinstance(document, Mapping):
            return None
        document = document.get(step)
    return document
