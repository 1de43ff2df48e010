"""From a request's body to an object: what belongs here, what has the wrong type, what is unknown.

The request says what an API server does with a field that it does not know (`fieldValidation`,
kubernetes.io/docs/reference/using-api/api-concepts): nothing, a warning (the default), or 400. It
is dropped in each case. Of built-in kinds only the fields in `typed` are known.
"""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any

from cse_client.simulator.kube.errors import ApiError, bad_request, invalid, invalid_option
from cse_client.simulator.kube.objects import Obj, clone
from cse_client.simulator.kube.requests import Call, Target
from cse_client.simulator.kube.resources import Resource
from cse_client.simulator.kube.typed import drop_unknown

__all__ = ["read_object", "without_unknown"]

_VALIDATES = 25
_CHOICES = ("", "Ignore", "Strict", "Warn")
_MAPS = ("labels", "annotations")
_WITH_SPEC = frozenset(
    {
        "pods",
        "services",
        "namespaces",
        "nodes",
        "deployments",
        "daemonsets",
        "replicasets",
        "statefulsets",
        "jobs",
        "certificatesigningrequests",
        "customresourcedefinitions",
        "cronjobs",
        "ingresses",
        "leases",
        "networkpolicies",
        "poddisruptionbudgets",
    }
)


def read_object(body: Any, target: Target, resource: Resource, preferred: str) -> Obj:
    """Return a copy of a request's object, in the version that is stored (`preferred`).

    Raises:
        ApiError: 400, it does not belong here or has fields of other types.
    """
    if not isinstance(body, dict):
        raise bad_request(
            f"the object provided is unrecognized (must be of type {resource.kind}): couldn't get "
            f"version/kind; json parse error: {_no_object(body)}"
        )
    obj: Obj = clone(body)
    api_version = resource.api_version(target.version)
    if obj.get("apiVersion", api_version) != api_version:
        raise _mismatch(obj, resource, target, f"the API version is not {api_version}")
    if obj.get("kind", resource.kind) != resource.kind:
        raise _mismatch(obj, resource, target, f"it is not a {resource.kind}")
    obj["kind"], obj["apiVersion"] = resource.kind, resource.api_version(preferred)
    metadata = obj.get("metadata")
    obj["metadata"] = metadata = metadata if isinstance(metadata, dict) else {}
    _check_types(obj, resource, target)
    if not resource.namespaced:
        metadata.pop("namespace", None)
    elif metadata.get("namespace") not in (None, "", target.namespace):
        raise bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )
    else:
        metadata["namespace"] = target.namespace
    if obj.get("spec") is None and resource.plural in _WITH_SPEC:
        obj["spec"] = {}
    return obj


def _no_object(body: Any) -> str:
    if body is None:
        return "unexpected end of JSON input (<empty>)"
    return f"json: cannot unmarshal {_type(body)} into Go value"


def _mismatch(obj: Obj, resource: Resource, target: Target, why: str) -> ApiError:
    kind = obj.get("kind", resource.kind)
    version = str(obj.get("apiVersion", target.version)).rpartition("/")[2]
    return bad_request(
        f'{kind} in version "{version}" cannot be handled as a {resource.kind}: {why}'
    )


def _check_types(obj: Obj, resource: Resource, target: Target) -> None:
    """Raise ApiError 400 for what the API server's own types cannot hold."""
    where = f'{resource.kind} in version "{target.version}" cannot be handled as a {resource.kind}'
    for name in _MAPS:
        _check_texts(obj["metadata"].get(name), f"ObjectMeta.metadata.{name}", where)
    if resource.custom:
        return
    if not isinstance(obj.get("spec", {}), (dict, type(None))):
        raise _wrong(where, obj["spec"], f"{resource.kind}.spec", "v1.Spec")
    if resource.plural in ("configmaps", "secrets"):
        for name in ("data", "stringData"):
            _check_texts(obj.get(name), f"{resource.kind}.{name}", where)
    if resource.plural == "secrets":
        for text in (obj.get("data") or {}).values():
            _check_base64(text, where)


def _check_texts(value: Any, field: str, where: str) -> None:
    if value is None:
        return
    if not isinstance(value, dict):
        raise _wrong(where, value, field, "map[string]string")
    for text in value.values():
        if not isinstance(text, str):
            raise _wrong(where, text, field, "string")


def _check_base64(text: str, where: str) -> None:
    try:
        base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        good = "+/=0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
        place = next((i for i, letter in enumerate(text) if letter not in good), len(text))
        raise bad_request(f"{where}: illegal base64 data at input byte {place}") from None


def _wrong(where: str, value: Any, field: str, wanted: str) -> ApiError:
    return bad_request(
        f"{where}: json: cannot unmarshal {_type(value)} into Go struct field {field} of type "
        f"{wanted}"
    )


def _type(value: Any) -> str:
    """Return what Go's JSON reader calls a value's type."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, (int, float)):
        return "number"
    if isinstance(value, str):
        return "string"
    return "array" if isinstance(value, list) else "object" if value else "null"


def without_unknown(
    call: Call, target: Target, resource: Resource, obj: Obj, schema: Obj | None, minor: int
) -> None:
    """Drop the fields of an object that its kind does not have, in place; warn or refuse as asked.

    Raises:
        ApiError: 400 with fieldValidation=Strict, 422 for a value that is none.
    """
    wanted = call.option("fieldValidation")
    if wanted not in _CHOICES:
        kind = {"POST": "CreateOptions", "PUT": "UpdateOptions"}.get(call.method, "PatchOptions")
        listed = ", ".join(f'"{choice}"' for choice in _CHOICES)
        text = f'Unsupported value: "{wanted}": supported values: {listed}'
        raise invalid_option(kind, "fieldValidation", text)
    unknown = [f'unknown field "{name}"' for name in drop_unknown(resource.key, obj, schema)]
    if not unknown or minor < _VALIDATES or wanted == "Ignore":
        return
    if wanted == "Strict" and call.method == "PATCH":
        shown = json.dumps(json.dumps(obj, sort_keys=True, separators=(",", ":")))
        text = f"Invalid value: {shown}: strict decoding error: {', '.join(unknown)}"
        raise invalid("", "", "", [("patch", text)])
    if wanted == "Strict":
        raise bad_request(
            f'{resource.kind} in version "{target.version}" cannot be handled as a '
            f"{resource.kind}: strict decoding error: {', '.join(unknown)}"
        )
    call.warnings += unknown
