"""Two answers to one question, compared part by part.

An answer becomes a flat table: a path such as `body.metadata.labels.app` and what is there. Values
that differ from run to run (uids, revisions, times) become the name of their type; everything else
is compared as it is: messages, reasons, defaults, and which manager owns which field. Not compared:
the prose of columns and the hashes of storage, which no client reads, and who owns a map or list
itself, apart from what is in it (the `.` in fieldsV1).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.real.judges.asking import Answer, Question

__all__ = ["ABSENT", "Difference", "differences"]

ABSENT = "(absent)"

# How much of a value is in the report.
_SHOWN = 1000
_HEADERS = (
    *("content-type", "retry-after", "warning", "www-authenticate", "x-content-type-options"),
    *("allow", "location"),
)
_PASSING = frozenset(
    {
        *("uid", "resourceVersion", "observedGeneration", "continue", "token"),
        *("creationTimestamp", "deletionTimestamp", "expirationTimestamp", "time"),
        *("lastTransitionTime", "lastUpdateTime", "lastHeartbeatTime"),
        *("buildDate", "gitCommit", "goVersion", "gitTreeState"),
        *("serverAddress", "clusterIP", "clusterIPs"),
    }
)
# The API server collects these from bindings in whatever order.
_UNORDERED = frozenset({"nonResourceRules", "resourceRules", "nonResourceURLs"})
_IGNORED = frozenset({"description", "storageVersionHash"})
_SAID = (
    (re.compile(r"(?<=made-)[a-z0-9]{5}\b"), "SUFFIX"),
    (re.compile(r"(?<=precondition \()\d+(?=\))|(?<=record \()\d+(?=\))"), "REVISION"),
    (re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"), "UID"),
    (re.compile(r"\b10\.\d+\.\d+\.\d+\b"), "ADDRESS"),
    (re.compile(r"(?<=resource version: )\d+|(?<=current: )\d+"), "REVISION"),
    (re.compile(r"\b\d{4}-\d\d-\d\dT[\d:.]+Z"), "TIME"),
)
_AGE = re.compile(r"^(\d+[dhms])+$|^<invalid>$")
_TYPES = {str: "string", bool: "boolean", int: "number", float: "number", type(None): "null"}


@dataclass(frozen=True)
class Difference:
    """Where two answers differ, and what each of them has there."""

    question: str
    path: str
    imitation: str
    real: str

    def __str__(self) -> str:
        ours, theirs = self.imitation[:_SHOWN], self.real[:_SHOWN]
        return f"  {self.path}\n    imitation: {ours}\n    real:      {theirs}"


def differences(question: Question, imitation: Answer, real: Answer) -> list[Difference]:
    """Return every difference, in the order of the paths."""
    ours, theirs = _table(question, imitation), _table(question, real)
    found = []
    for path in sorted(ours.keys() | theirs.keys()):
        left, right = ours.get(path, ABSENT), theirs.get(path, ABSENT)
        if left != right and not _below_another(path, ours, theirs):
            found.append(Difference(question.name, path, left, right))
    return found


def _below_another(path: str, ours: dict[str, str], theirs: dict[str, str]) -> bool:
    """Whether the part that this one is in differs already."""
    parent = path.rpartition(".")[0]
    return bool(parent) and ours.get(parent) != theirs.get(parent)


def _table(question: Question, answer: Answer) -> dict[str, str]:
    found = {"status": str(answer.status)}
    for name in _HEADERS:
        if name in answer.headers:
            found[f"header.{name}"] = _steady(answer.headers[name])
    value = answer.value()
    if question.only:
        value = _only(value, question.only)
    found.update(_flat(value, "body", ""))
    return found


def _flat(value: Any, path: str, key: str) -> Iterator[tuple[str, str]]:
    if key == "fieldsV1":
        yield path, "object"
        for owned in sorted(_owned(value, "")):
            yield f"{path}.{owned}", "owned"
    elif isinstance(value, dict) and value and key not in _PASSING:
        yield path, "object"
        for name, item in value.items():
            if name in _IGNORED:
                continue
            yield from _flat(item, f"{path}.{name.replace('.', '_')}", name)
    elif isinstance(value, list) and value and key not in _PASSING:
        yield path, "array"
        if key in _UNORDERED:
            value = sorted(value, key=str)
        for index, item in enumerate(value):
            yield from _flat(item, f"{path}.{_label(item, index)}", key)
    else:
        yield path, _leaf(value, key)


def _owned(fields: dict[str, Any], path: str) -> Iterator[str]:
    """Yield what fieldsV1 holds, each path as one text without dots."""
    for name, below in fields.items():
        here = f"{path}/{name.replace('.', '_')}"
        if name != ".":
            yield from _owned(below, here) if set(below) - {"."} else (here,)


def _label(item: Any, index: int) -> str:
    """Return what distinguishes an item of a list: its name, or else where it stands."""
    if isinstance(item, dict):
        metadata = item.get("metadata")
        named = metadata if isinstance(metadata, dict) else item
        for key in ("name", "type", "manager"):
            if isinstance(named.get(key), str) and "object" not in item:
                extra = item.get("operation", "") + item.get("subresource", "")
                return f"[{named[key]}{extra and ' ' + extra}]".replace(".", "_")
    return f"[{index}]"


def _leaf(value: Any, key: str) -> str:
    if key in _PASSING:
        return _TYPES.get(type(value), type(value).__name__)
    if key == "cells" and isinstance(value, str) and _AGE.match(value):
        return "(age)"
    if isinstance(value, str):
        return repr(_steady(value))
    return {"True": "true", "False": "false", "None": "null"}.get(str(value), str(value))


def _steady(text: str) -> str:
    for pattern, name in _SAID:
        text = pattern.sub(name, text)
    return text


def _only(value: Any, names: tuple[str, ...]) -> Any:
    """Return the value with only the named items in the lists that have names."""
    if isinstance(value, dict):
        return {key: _only(item, names) for key, item in value.items()}
    if isinstance(value, list):
        return [
            _only(item, names)
            for item in value
            if not (isinstance(item, dict) and isinstance(item.get("name"), str))
            or item["name"] in names
        ]
    return value
