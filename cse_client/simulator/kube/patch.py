"""JSON patch (RFC 6902), JSON merge patch (RFC 7386) and the strategic merge patch.

The last one's rules and directives: kubernetes:staging/src/k8s.io/apimachinery/pkg/util/
strategicpatch/patch.go; its merge keys are the `patchMergeKey` tags of the API types.
"""

from __future__ import annotations

from typing import Any

from cse_client.simulator.kube.errors import ApiError, bad_request
from cse_client.simulator.kube.objects import clone

__all__ = ["json_patch", "merge_patch", "strategic_merge"]

# Lists that are merged by a key of their items, by the field's name; where one name means two
# things, the parent decides.
MERGE_KEYS: dict[str, str] = {
    "addresses": "type",
    "conditions": "type",
    "containers": "name",
    "env": "name",
    "ephemeralContainers": "name",
    "hostAliases": "ip",
    "imagePullSecrets": "name",
    "initContainers": "name",
    "ownerReferences": "uid",
    "secrets": "name",
    "topologySpreadConstraints": "topologyKey",
    "volumeDevices": "devicePath",
    "volumeMounts": "mountPath",
    "volumes": "name",
    "webhooks": "name",
}
_PORTS = {"spec": "port"}
_SETS = frozenset({"finalizers"})
_FROM_LIST = "$deleteFromPrimitiveList/"
_DIRECTIVES = ("$setElementOrder/", _FROM_LIST)


def merge_patch(target: Any, patch: Any) -> Any:
    """Return target with a JSON merge patch applied."""
    if not isinstance(patch, dict):
        return clone(patch)
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge_patch(result.get(key), value)
    return result


def _pointer(path: Any) -> list[str]:
    if not isinstance(path, str) or (path and not path.startswith("/")):
        raise bad_request(f"JSON pointer {path!r} does not begin with a slash")
    return [part.replace("~1", "/").replace("~0", "~") for part in path.split("/")[1:]]


def _index(items: list[Any], part: str, *, adding: bool = False) -> int:
    if part == "-" and adding:
        return len(items)
    if not part.isdigit() or int(part) > len(items) - (not adding):
        raise _unprocessable(f"unable to access invalid index: {part}")
    return int(part)


def _unprocessable(_why: str) -> Exception:
    """422; a real API server does not say why either (seen on 1.36)."""
    return ApiError(
        422, "Invalid", "the server rejected our request due to an error in our request", {}
    )


def _parent(document: Any, parts: list[str]) -> Any:
    for part in parts[:-1]:
        if isinstance(document, list):
            document = document[_index(document, part)]
        elif isinstance(document, dict) and part in document:
            document = document[part]
        else:
            raise _unprocessable(f"path /{'/'.join(parts)} does not exist")
    if not isinstance(document, (dict, list)):
        raise _unprocessable(f"path /{'/'.join(parts)} does not exist")
    return document


def _read(document: Any, parts: list[str]) -> Any:
    if not parts:
        return document
    parent = _parent(document, parts)
    if isinstance(parent, list):
        return parent[_index(parent, parts[-1])]
    if parts[-1] not in parent:
        raise _unprocessable(f"path /{'/'.join(parts)} does not exist")
    return parent[parts[-1]]


def _write(document: Any, parts: list[str], value: Any, *, replace: bool = False) -> Any:
    if not parts:
        return value
    parent = _parent(document, parts)
    if isinstance(parent, dict):
        if replace and parts[-1] not in parent:
            raise _unprocessable(f"path /{'/'.join(parts)} does not exist")
        parent[parts[-1]] = value
    elif replace:
        parent[_index(parent, parts[-1])] = value
    else:
        parent.insert(_index(parent, parts[-1], adding=True), value)
    return document


def _remove(document: Any, parts: list[str]) -> Any:
    if not parts:
        raise _unprocessable("the whole document cannot be removed")
    _read(document, parts)
    parent = _parent(document, parts)
    if isinstance(parent, list):
        del parent[_index(parent, parts[-1])]
    else:
        del parent[parts[-1]]
    return document


def json_patch(document: Any, operations: Any) -> Any:
    """Return the document with a JSON patch applied; all or nothing.

    Raises ApiError 400 for what is not a patch, 422 for one that does not fit the document.
    """
    if not isinstance(operations, list):
        raise bad_request(
            "error decoding patch: json: cannot unmarshal object into Go value of type "
            "[]handlers.jsonPatchOp"
        )
    document = clone(document)
    for step in operations:
        if not isinstance(step, dict) or "op" not in step or "path" not in step:
            raise bad_request("an operation of a JSON patch has `op` and `path`")
        document = _operate(document, step)
    return document


def _operate(document: Any, step: dict[str, Any]) -> Any:
    parts = _pointer(step["path"])
    kind = step["op"]
    if kind in ("add", "replace"):
        return _write(document, parts, clone(step.get("value")), replace=kind == "replace")
    if kind == "remove":
        return _remove(document, parts)
    if kind == "test":
        if _read(document, parts) != step.get("value"):
            raise _unprocessable(f"testing value {step['path']} failed")
        return document
    if kind in ("move", "copy"):
        source = _pointer(step.get("from"))
        value = clone(_read(document, source))
        if kind == "move":
            document = _remove(document, source)
        return _write(document, parts, value)
    raise bad_request(f"unexpected kind of operation: {kind}")


def merge_key(field: str, parent: str, items: list[Any]) -> str | None:
    """Return by which key a list's items are distinguished, None for a list that is one value."""
    if field == "ports":
        # Of a Service (spec.ports) the key is `port`; of a container it is `containerPort`.
        return (
            "containerPort"
            if any("containerPort" in item for item in items)
            else (_PORTS.get(parent))
        )
    if field == "addresses" and parent != "status":
        return None
    return MERGE_KEYS.get(field)


def strategic_merge(target: Any, patch: Any, *, parent: str = "") -> Any:
    """Return a built-in object with a strategic merge patch applied."""
    if not isinstance(patch, dict):
        return clone(patch)
    directive = patch.get("$patch")
    if directive == "replace":
        return {key: clone(value) for key, value in patch.items() if key != "$patch"}
    if directive == "delete":
        return {}
    if directive not in (None, "merge"):
        raise ApiError(500, "", f"unknown patch type: {directive} in map: {_go_map(patch)}")
    result = dict(target) if isinstance(target, dict) else {}
    retained = patch.get("$retainKeys")
    if isinstance(retained, list):
        result = {key: value for key, value in result.items() if key in retained}
    for key, value in patch.items():
        if key in ("$patch", "$retainKeys") or key.startswith(_DIRECTIVES):
            continue
        if value is None:
            result.pop(key, None)
        elif isinstance(value, list):
            result[key] = _merge_list(result.get(key), value, key, parent, patch)
        else:
            result[key] = strategic_merge(result.get(key), value, parent=key)
    for key, values in patch.items():
        field = key[len(_FROM_LIST) :]
        if key.startswith(_FROM_LIST) and isinstance(result.get(field), list):
            result[field] = [item for item in result[field] if item not in values]
    return result


def _go_map(value: dict[str, Any]) -> str:
    return f"map[{' '.join(f'{key}:{item}' for key, item in sorted(value.items()))}]"


def _merge_list(
    target: Any, patch: list[Any], field: str, parent: str, whole: dict[str, Any]
) -> list[Any]:
    current = target if isinstance(target, list) else []
    order = whole.get(f"$setElementOrder/{field}")
    if field in _SETS:
        return current + [clone(item) for item in patch if item not in current]
    items = [item for item in patch if isinstance(item, dict)]
    key = merge_key(field, parent, [item for item in current if isinstance(item, dict)] + items)
    if key is None or len(items) != len(patch):
        return [clone(item) for item in patch]
    if any(item.get("$patch") == "replace" and len(item) == 1 for item in items):
        return [clone(item) for item in items if "$patch" not in item]
    result = list(current)
    for item in items:
        if key not in item:
            raise bad_request(f"map: {item} does not contain declared merge key: {key}")
        places = [index for index, old in enumerate(result) if old.get(key) == item[key]]
        if item.get("$patch") == "delete":
            result = [old for old in result if old.get(key) != item[key]]
        elif places:
            result[places[0]] = strategic_merge(result[places[0]], item, parent=field)
        else:
            result.append(strategic_merge({}, item, parent=field))
    if isinstance(order, list):
        result = _ordered(result, [item.get(key) for item in order if isinstance(item, dict)], key)
    return result


def _ordered(items: list[Any], order: list[Any], key: str) -> list[Any]:
    """Return the items that the order names in that order, each other one where it stood."""
    named = iter(
        sorted(
            (item for item in items if item.get(key) in order),
            key=lambda item: order.index(item[key]),
        )
    )
    return [next(named) if item.get(key) in order else item for item in items]
