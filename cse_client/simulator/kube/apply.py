"""Server-side apply: ownership of fields by managers, merging, and conflicts.

Rules: kubernetes.io/docs/reference/using-api/server-side-apply; the form of `fieldsV1`:
sigs.k8s.io/structured-merge-diff/v4/fieldpath/serialize.go. A set of fields is a set of paths;
a path's elements are `f:NAME`, `k:{JSON}` (an item of a list by its keys), `v:JSON` (a member of a
list that is a set). A `.` in fieldsV1 says that the item itself is owned.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from cse_client.simulator.kube.errors import ApiError, bad_request
from cse_client.simulator.kube.objects import Obj, clone, dig
from cse_client.simulator.kube.patch import MERGE_KEYS

__all__ = ["apply", "note_update", "without_managed"]

Path = tuple[str, ...]

# Items of these lists are distinguished by several fields (x-kubernetes-list-map-keys).
_UNOWNED = frozenset(
    {
        ("f:apiVersion",),
        ("f:kind",),
        # empty ones, which are structs without anything in them
        ("f:spec",),
        ("f:status",),
        ("f:metadata", "f:name"),
        ("f:metadata", "f:namespace"),
        ("f:metadata", "f:uid"),
        ("f:metadata", "f:resourceVersion"),
        ("f:metadata", "f:generation"),
        ("f:metadata", "f:creationTimestamp"),
        ("f:metadata", "f:managedFields"),
        ("f:metadata", "f:selfLink"),
    }
)


_UNKNOWN_MANAGER = "before-first-apply"
_DEFAULTS = {"protocol": "TCP"}
# Objects that are one value, owned and replaced as a whole (structType and mapType atomic).
_ATOMIC = frozenset(
    {
        *("selector", "labelSelector", "namespaceSelector", "nodeSelector", "podSelector"),
        *("roleRef", "fieldRef", "configMapKeyRef", "secretKeyRef"),
    }
)


def list_keys(field: str, items: Iterable[Any]) -> tuple[str, ...]:
    """Return by which fields a list's items are distinguished; () when the list is one value."""
    if field == "ports":
        first = [item for item in items if isinstance(item, dict)]
        if any("containerPort" in item for item in first):
            return ("containerPort", "protocol")
        return ("port", "protocol") if any("port" in item for item in first) else ()
    key = MERGE_KEYS.get(field)
    return (key,) if key else ()


def _item_element(item: Obj, keys: tuple[str, ...]) -> str:
    values = {key: item.get(key, _DEFAULTS.get(key)) for key in keys}
    return "k:" + json.dumps(values, sort_keys=True, separators=(",", ":"))


def field_set(value: Any, path: Path = ()) -> set[Path]:
    """Return the paths of the leaves, and of the keyed items, of a value."""
    if path and path[-1][2:] in _ATOMIC:
        return {path}
    if isinstance(value, dict) and value:
        found: set[Path] = set()
        for key, item in value.items():
            found |= field_set(item, (*path, f"f:{key}"))
        return found
    if isinstance(value, list) and value and path:
        field = path[-1][2:]
        if field == "finalizers" and path[0] == "f:metadata":
            return {(*path, "v:" + json.dumps(item)) for item in value}
        keys = list_keys(field, value)
        if keys and all(isinstance(item, dict) and keys[0] in item for item in value):
            found = set()
            for item in value:
                here = (*path, _item_element(item, keys))
                found |= {here} | field_set(item, here)
            return found
    return {path} if path else set()


def _owned(obj: Obj, unowned: Sequence[Path] = ()) -> set[Path]:
    return {
        path
        for path in field_set(obj)
        if path not in _UNOWNED and not any(path[: len(one)] == one for one in unowned)
    }


def to_fields(paths: Iterable[Path]) -> Obj:
    """Return a set of paths in the form of `fieldsV1`."""
    root: Obj = {}
    for path in sorted(paths):
        place = root
        for element in path:
            place = place.setdefault(element, {})
        if path[-1].startswith("k:"):
            place["."] = {}
    return root


def from_fields(fields: Obj, path: Path = ()) -> set[Path]:
    """Return the set of paths that `fieldsV1` holds."""
    found: set[Path] = set()
    for element, below in fields.items():
        if element == ".":
            found.add(path)
        elif below:
            found |= from_fields(below, (*path, element))
        else:
            found.add((*path, element))
    return found


def _read(obj: Any, path: Path) -> Any:
    """Return the value at a path, None when there is none."""
    for index, element in enumerate(path):
        if element.startswith("f:"):
            obj = obj.get(element[2:]) if isinstance(obj, dict) else None
        elif element.startswith("k:"):
            keys = tuple(json.loads(element[2:]))
            obj = next((item for item in obj or () if _item_element(item, keys) == element), None)
            if obj is not None and index == len(path) - 1:
                return True
        else:
            value = json.loads(element[2:])
            obj = value if value in (obj or ()) else None
        if obj is None:
            return None
    return obj


def _remove(obj: Any, path: Path) -> Any:
    """Return obj without what lies at the path; maps that become empty go too."""
    element = path[0]
    if element.startswith("f:"):
        key = element[2:]
        if not isinstance(obj, dict) or key not in obj:
            return obj
        result = dict(obj)
        below = None if len(path) == 1 else _remove(obj[key], path[1:])
        if below is None or below in ({}, []):
            del result[key]
        else:
            result[key] = below
        return result
    if not isinstance(obj, list):
        return obj
    if element.startswith("v:"):
        return [item for item in obj if item != json.loads(element[2:])]
    keys = tuple(json.loads(element[2:]))
    kept = []
    for item in obj:
        if _item_element(item, keys) != element:
            kept.append(item)
        elif len(path) > 1:
            kept.append(_remove(item, path[1:]))
    return kept


def _merge(target: Any, wanted: Any, field: str = "") -> Any:
    """Return target with everything that `wanted` says."""
    if isinstance(wanted, dict) and isinstance(target, dict) and field not in _ATOMIC:
        result = dict(target)
        for key, value in wanted.items():
            result[key] = _merge(result.get(key), value, key)
        return result
    if isinstance(wanted, list) and isinstance(target, list):
        if field == "finalizers":
            return target + [item for item in wanted if item not in target]
        keys = list_keys(field, [*target, *wanted])
        if keys and all(isinstance(item, dict) for item in [*target, *wanted]):
            result_list = list(target)
            for item in wanted:
                name = _item_element(item, keys)
                for index, old in enumerate(result_list):
                    if _item_element(old, keys) == name:
                        result_list[index] = _merge(old, item)
                        break
                else:
                    result_list.append(clone(item))
            return result_list
    return clone(wanted)


def _differs(path: Path, current: Obj, wanted: Obj) -> bool:
    """Whether applying would change what lies at a path that somebody else owns."""
    if path[-1].startswith("k:"):
        return False
    old, new = _read(current, path), _read(wanted, path)
    # An empty map says nothing about what others put into it.
    maps = isinstance(old, dict) and isinstance(new, dict) and path[-1][2:] not in _ATOMIC
    return old != new and not maps


def without_managed(obj: Obj) -> Obj:
    """Return the object without its managedFields."""
    metadata = {key: value for key, value in obj["metadata"].items() if key != "managedFields"}
    return {**obj, "metadata": metadata}


def _entry(manager: str, operation: str, obj: Obj, now: str, sub: str, paths: set[Path]) -> Obj:
    entry = {
        "manager": manager,
        "operation": operation,
        "apiVersion": obj.get("apiVersion", "v1"),
        "time": now,
        "fieldsType": "FieldsV1",
        "fieldsV1": to_fields(paths),
    }
    if sub:
        entry["subresource"] = sub
    return entry


def _identity(entry: Obj) -> tuple[str, str, str]:
    return entry["manager"], entry["operation"], entry.get("subresource", "")


def apply(
    old: Obj | None,
    wanted: Obj,
    manager: str,
    now: str,
    *,
    force: bool = False,
    sub: str = "",
    unowned: Sequence[Path] = (),
) -> Obj:
    """Return the object after `manager` applied `wanted`.

    Raises ApiError 409 with one cause per field when another manager owns a field that would
    change, unless forced; 400 when `wanted` carries managedFields. `unowned` are the beginnings of
    paths that this request does not write.
    """
    if dig(wanted, "metadata", "managedFields"):
        raise bad_request("metadata.managedFields must be nil")
    mine = _owned(wanted, unowned)
    me = (manager, "Apply", sub)
    entries = list(dig(old, "metadata", "managedFields", default=[])) if old else []
    if old and not entries:
        # What nobody has noted is that of an unknown manager.
        paths = _owned(without_managed(old), unowned)
        entries = [_entry(_UNKNOWN_MANAGER, "Update", old, now, "", paths)]
    before = next(
        (from_fields(item["fieldsV1"]) for item in entries if _identity(item) == me), set()
    )
    others = [item for item in entries if _identity(item) != me]
    current = without_managed(old) if old else {}
    kept: list[Obj] = []
    conflicts: list[tuple[Obj, Path]] = []
    for entry in others:
        paths = from_fields(entry["fieldsV1"])
        clash = {path for path in paths & mine if _differs(path, current, wanted)}
        conflicts.extend((entry, path) for path in sorted(clash))
        rest = paths - clash
        if rest:
            kept.append({**entry, "fieldsV1": to_fields(rest)} if clash else entry)
    if conflicts and not force:
        raise _conflict(conflicts)
    merged = _merge(current, wanted)
    shared = {path for entry in kept for path in from_fields(entry["fieldsV1"])}
    # An item of a list goes as a whole, before its fields: they are what it is found by.
    for path in sorted(before - mine - shared, key=len):
        if not any(other[: len(path)] == path for other in (mine | shared)):
            merged = _remove(merged, path)
    # Who owns nothing has no entry.
    noted = [_entry(manager, "Apply", merged, now, sub, mine)] if mine else []
    merged["metadata"] = dict(merged.get("metadata", {}))
    if kept or noted:
        merged["metadata"]["managedFields"] = [*kept, *noted]
    return dict(merged)


def _dotted(path: Path) -> str:
    text = ""
    for element in path:
        text += f".{element[2:]}" if element.startswith("f:") else f"[{element[2:]}]"
    return text


def _conflict(conflicts: list[tuple[Obj, Path]]) -> ApiError:
    causes = [
        {
            "reason": "FieldManagerConflict",
            "message": f"conflict with {_whom(entry)}",
            "field": _dotted(path),
        }
        for entry, path in conflicts
    ]
    plural = "s" if len(causes) > 1 else ""
    # Fields of one manager are listed together
    # (kubernetes:staging/src/k8s.io/apimachinery/pkg/util/managedfields/internal/conflict.go).
    fields: dict[str, list[str]] = {}
    for entry, path in conflicts:
        fields.setdefault(_whom(entry), []).append(_dotted(path))
    listed = "\n".join(
        f"conflict with {whom}: {ones[0]}"
        if len(ones) == 1
        else "\n- ".join((f"conflicts with {whom}:", *ones))
        for whom, ones in sorted(fields.items())
    )
    return ApiError(
        409,
        "Conflict",
        f"Apply failed with {len(causes)} conflict{plural}: {listed}",
        {"causes": causes},
    )


def _whom(entry: Obj) -> str:
    """Return how a manager's entry is named: an update with its version, and the subresource."""
    text = f'"{entry["manager"]}"'
    if entry.get("subresource"):
        text += f' with subresource "{entry["subresource"]}"'
    if entry["operation"] == "Update":
        text += f" using {entry['apiVersion']}"
    return text


def note_update(
    old: Obj | None,
    new: Obj,
    manager: str,
    now: str,
    *,
    sub: str = "",
    unowned: Sequence[Path] = (),
) -> Obj:
    """Return `new` with its managedFields after an update (any write that is not an apply).

    `unowned` are the beginnings of paths that the client did not write.
    """
    plain = without_managed(new)
    entries = list(dig(old, "metadata", "managedFields", default=[])) if old else []
    if "managedFields" in new["metadata"] and new["metadata"]["managedFields"] == []:
        entries = []
    before = _owned(without_managed(old)) if old else set()
    after = _owned(plain, unowned)
    changed = {
        path
        for path in after
        if path not in before or old is None or _read(old, path) != _read(plain, path)
    }
    gone = before - _owned(plain)
    me = (manager, "Update", sub)
    result = []
    mine = set(changed)
    for entry in entries:
        paths = from_fields(entry["fieldsV1"])
        if _identity(entry) == me:
            mine |= paths - gone
        elif paths & (changed | gone):
            rest = paths - changed - gone
            if rest:
                result.append({**entry, "fieldsV1": to_fields(rest)})
        else:
            result.append(entry)
    if mine:
        result.append(_entry(manager, "Update", plain, now, sub, mine))
    if result:
        plain["metadata"]["managedFields"] = result
    return plain
