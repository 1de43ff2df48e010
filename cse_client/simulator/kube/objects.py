"""Kubernetes objects are plain JSON values here; these are the few things done to any of them.

An object in the store is never changed in place: writers make a copy, so that lists, watches and
answers may share it.
"""

from __future__ import annotations

import re
from datetime import datetime, timezone
from typing import Any

__all__ = [
    "Obj",
    "clone",
    "condition",
    "dig",
    "key_of",
    "meta",
    "owned_by",
    "owner_reference",
    "parse_quantity",
    "parse_time",
    "timestamp",
]

Obj = dict[str, Any]

_FRACTION = re.compile(r"\.\d+")


_SUFFIXES = {
    "n": 1e-9,
    "u": 1e-6,
    "m": 1e-3,
    "": 1.0,
    "k": 1e3,
    "M": 1e6,
    "G": 1e9,
    "T": 1e12,
    "P": 1e15,
    "Ki": 2.0**10,
    "Mi": 2.0**20,
    "Gi": 2.0**30,
    "Ti": 2.0**40,
    "Pi": 2.0**50,
}


def clone(value: Any) -> Any:
    """Return a deep copy of a JSON value (quicker than copy.deepcopy, which looks for cycles)."""
    if isinstance(value, dict):
        return {key: clone(item) for key, item in value.items()}
    if isinstance(value, list):
        return [clone(item) for item in value]
    return value


def dig(value: Any, *path: str | int, default: Any = None) -> Any:
    """Return what lies at `path`, or the default where any part of it is missing or null."""
    for part in path:
        if isinstance(value, dict):
            value = value.get(part)
        elif isinstance(value, list) and isinstance(part, int) and -1 <= part < len(value):
            value = value[part] if value else None
        else:
            return default
    return default if value is None else value


def meta(obj: Obj) -> Obj:
    """Return the object's metadata."""
    found: Obj = obj["metadata"]
    return found


def key_of(obj: Obj) -> tuple[str, str]:
    """Return (namespace, name); the namespace of a cluster-wide object is empty."""
    found = obj["metadata"]
    return found.get("namespace") or "", found["name"]


def timestamp(moment: datetime, *, micro: bool = False) -> str:
    """Return RFC 3339 in UTC, as metav1.Time (seconds) or MicroTime."""
    text = moment.astimezone(timezone.utc)
    return text.strftime("%Y-%m-%dT%H:%M:%S.%fZ" if micro else "%Y-%m-%dT%H:%M:%SZ")


def parse_time(text: Any) -> datetime | None:
    """Return the moment that RFC 3339 text names, or None when it names none."""
    if not isinstance(text, str):
        return None
    # Before 3.11 Python reads six digits of a fraction, or none; Go writes what it has.
    text = _FRACTION.sub(lambda found: f"{found[0]:0<7.7}", text.strip().replace("Z", "+00:00"))
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)


def condition(obj: Obj, kind: str) -> Obj | None:
    """Return the status condition of that type."""
    for found in dig(obj, "status", "conditions", default=[]):
        if isinstance(found, dict) and found.get("type") == kind:
            return found
    return None


def owner_reference(owner: Obj, *, controller: bool = True) -> Obj:
    """Return the reference that a dependent of `owner` carries."""
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": controller,
        "blockOwnerDeletion": True,
    }


def owned_by(obj: Obj) -> Obj | None:
    """Return the reference to the object's controller, if it has one."""
    for reference in obj["metadata"].get("ownerReferences") or ():
        if reference.get("controller"):
            found: Obj = reference
            return found
    return None


def parse_quantity(value: Any) -> float:
    """Return a resource quantity (`2`, `500m`, `4Gi`) as a number; nonsense counts as 0."""
    text = str(value).strip()
    number = text.rstrip("numkMGTPEi")
    try:
        return float(number) * _SUFFIXES.get(text[len(number) :], 0.0)
    except ValueError:
        return 0.0
