"""A request, what its path means, and the answer to it.

Paths and verbs: kubernetes:staging/src/k8s.io/apiserver/pkg/endpoints/request/requestinfo.go.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from cse_client.simulator.kube.errors import (
    ApiError,
    bad_request,
    invalid_option,
    unsupported_media_type,
)
from cse_client.simulator.kube.port_forward import Stream
from cse_client.simulator.kube.rbac import Attributes, User

__all__ = ["Answer", "Call", "Target", "parse_target"]

_JSON = "application/json"
_TEXT = "text/plain; charset=utf-8"
_BODIES = (_JSON, "application/yaml", "application/vnd.kubernetes.protobuf")
_YAML = frozenset({"application/yaml", "application/apply-patch+yaml", "application/x-yaml"})


_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_OF_NAMESPACE = ("status", "finalize")


@dataclass
class Call:
    """One request; `body` is bytes from a socket, or already a JSON value from this process."""

    method: str
    path: str
    query: Mapping[str, list[str]]
    user: User
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    content_type: str = _JSON
    warnings: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, method: str, target: str, user: User, **rest: Any) -> Call:
        """Make a call from a request line's target, query included."""
        parts = urlsplit(target)
        query = parse_qs(parts.query, keep_blank_values=True)
        return cls(method, unquote(parts.path), query, user, **rest)

    def option(self, name: str, default: str = "") -> str:
        """Return a query parameter."""
        found = self.query.get(name)
        return found[-1] if found else default

    def flag(self, name: str) -> bool:
        """Whether a query parameter is true."""
        return self.option(name, "false").lower() in ("true", "1", "")

    @property
    def dry_run(self) -> bool:
        """Whether nothing may be kept.

        Raises:
            ApiError: 422 for an unknown value.
        """
        values = self.query.get("dryRun", [])
        if any(value != "All" for value in values):
            kind = {"POST": "CreateOptions", "PUT": "UpdateOptions", "PATCH": "PatchOptions"}
            listed = ",".join(f'"{value}"' for value in values)
            raise invalid_option(
                kind.get(self.method, "DeleteOptions"),
                "dryRun",
                f'Unsupported value: [{listed}]: supported values: "All"',
            )
        return bool(values)

    def value(self) -> Any:
        """Return the body as a JSON value.

        Raises:
            ApiError: 400 or 415.
        """
        if not isinstance(self.body, bytes):
            return self.body
        if not self.body:
            return None
        kind = self.content_type.split(";", 1)[0].strip().lower()
        if kind == "application/vnd.kubernetes.protobuf":
            from cse_client.simulator.kube.protobuf import decode

            return decode(self.body)
        if kind in _YAML:
            return _yaml(self.body)
        if kind and not kind.endswith("json"):
            raise unsupported_media_type(*_BODIES)
        return _json(self.body)


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError as error:
        raise bad_request(f"the object provided is unrecognized: {error}") from None


def _yaml(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        import yaml

    try:
        return yaml.safe_load(body)
    except yaml.YAMLError:
        raise bad_request("error decoding YAML") from None


@dataclass
class Answer:
    """What goes back: a JSON value, or raw bytes, or a stream of JSON lines (a watch).

    `forward` is a port that the connection becomes a stream to, if the client asks for that.
    """

    code: int = 200
    value: Any = None
    raw: bytes | None = None
    content_type: str = _JSON
    stream: Iterator[bytes] | None = None
    headers: dict[str, str] = field(default_factory=dict)
    forward: tuple[int, Stream] | None = None

    @classmethod
    def refusal(cls, error: ApiError) -> Answer:
        """Return the answer that reports an error."""
        headers = dict(error.headers)
        if error.details and "retryAfterSeconds" in error.details:
            headers["Retry-After"] = str(error.details["retryAfterSeconds"])
        if error.plain:
            headers["X-Content-Type-Options"] = "nosniff"
            text = error.message.encode()
            return cls(error.code, raw=text, content_type=_TEXT, headers=headers)
        return cls(error.code, error.status(), headers=headers)

    def payload(self) -> bytes:
        """Return the body's bytes (not of a stream)."""
        if self.raw is not None:
            return self.raw
        return json.dumps(self.value, separators=(",", ":")).encode()


@dataclass(frozen=True)
class Target:
    """What a path names; `group` is None for paths that are not a resource's."""

    verb: str
    path: str
    group: str | None = None
    version: str = ""
    plural: str = ""
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    rest: str = ""
    field_selector: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """(group, plural)."""
        return self.group or "", self.plural

    def attributes(self) -> Attributes:
        """Return what an authorizer is asked."""
        if self.group is None:
            return Attributes(self.verb, path=self.path)
        return Attributes(
            self.verb,
            self.group,
            self.plural,
            self.subresource,
            self.namespace,
            self.name,
            field_selector=self.field_selector,
        )


def parse_target(call: Call) -> Target:
    """Return what the call's path and method ask for."""
    method = call.method.lower()
    parts = [part for part in call.path.split("/") if part]
    if len(parts) >= 3 and parts[0] == "api":  # noqa: PLR2004
        group, version, rest = "", parts[1], parts[2:]
    elif len(parts) >= 4 and parts[0] == "apis":  # noqa: PLR2004
        group, version, rest = parts[1], parts[2], parts[3:]
    else:
        return Target("get" if method == "head" else method, call.path)
    watching = rest[0] == "watch" and len(rest) > 1
    if watching:
        rest = rest[1:]
    namespace, selector = "", call.option("fieldSelector")
    if rest[0] == "namespaces" and len(rest) > 1:
        namespace = rest[1]
        if len(rest) > 2 and rest[2] not in _OF_NAMESPACE:  # noqa: PLR2004
            rest = rest[2:]
    plural, name = rest[0], rest[1] if len(rest) > 1 else ""
    verb = _VERBS.get(call.method, "get")
    if verb == "get" and (watching or (call.query.get("watch") and call.flag("watch"))):
        verb = "watch"
    if verb == "get" and not name:
        verb = "list"
    if verb == "delete" and not name:
        verb = "deletecollection"
    if not name and verb in ("list", "watch", "deletecollection"):
        # One object, selected by its name, counts as that object for RBAC's resourceNames.
        names = [term[14:] for term in selector.split(",") if term.startswith("metadata.name=")]
        name_asked = names[0].lstrip("=") if len(names) == 1 else ""
    else:
        name_asked = name
    subresource = "".join(rest[2:3])
    return Target(
        verb,
        call.path,
        group,
        version,
        plural,
        namespace,
        name_asked,
        subresource,
        "/".join(rest[3:]),
        selector,
    )
