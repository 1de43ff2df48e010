"""Objects as rows: what `kubectl get` shows is made by the server (kind Table, meta.k8s.io).

Columns and cells: kubernetes:pkg/printers/internalversion/printers.go; ages as in
staging/src/k8s.io/apimachinery/pkg/util/duration/duration.go.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from cse_client.simulator.kube.columns import Cells, Column, cells_of, columns_of
from cse_client.simulator.kube.objects import Obj, parse_time
from cse_client.simulator.kube.resources import Resource

__all__ = ["age", "table"]

_MINUTE, _HOUR, _DAY = 60, 3600, 86400
# Up to which length the next smaller unit is shown as well.
_STEPS = (
    (2 * _MINUTE, 1, "s", 0, ""),
    (10 * _MINUTE, _MINUTE, "m", 1, "s"),
    (3 * _HOUR, _MINUTE, "m", 0, ""),
    (8 * _HOUR, _HOUR, "h", _MINUTE, "m"),
    (2 * _DAY, _HOUR, "h", 0, ""),
    (8 * _DAY, _DAY, "d", _HOUR, "h"),
    (2 * 365 * _DAY, _DAY, "d", 0, ""),
    (8 * 365 * _DAY, 365 * _DAY, "y", _DAY, "d"),
)


def age(since: Any, now: datetime) -> str:
    """Return the time since a timestamp as kubectl spells it, `<unknown>` for none."""
    start = parse_time(since)
    if start is None:
        return "<unknown>"
    seconds = int((now - start).total_seconds())
    if seconds < 0:
        return "0s" if seconds > -2 else "<invalid>"  # noqa: PLR2004
    for limit, unit, letter, small, small_letter in _STEPS:
        if seconds < limit:
            rest = seconds % unit // small if small else 0
            return f"{seconds // unit}{letter}" + (f"{rest}{small_letter}" if rest else "")
    return f"{seconds // (365 * _DAY)}y"


def table(
    resource: Resource,
    version: str,
    objects: Sequence[Obj],
    now: datetime,
    *,
    metadata: Obj | None = None,
    include: str = "Metadata",
    group_version: str = "v1",
) -> Obj:
    """Return objects as a Table; `include` says how much of each goes with its row."""
    columns = columns_of(resource)
    cells = cells_of(resource)
    return {
        "kind": "Table",
        "apiVersion": f"meta.k8s.io/{group_version}",
        "metadata": metadata or {},
        "columnDefinitions": [_definition(column) for column in columns],
        "rows": [
            {
                "cells": _cells(cells, obj, now),
                "object": _included(obj, include, group_version),
            }
            for obj in objects
        ],
    }


def _definition(column: Column) -> Obj:
    name, kind, wide = column
    return {
        "name": name,
        "type": kind,
        "format": "name" if name == "Name" else "",
        "description": "",
        "priority": 1 if wide else 0,
    }


def _cells(cells: Cells, obj: Obj, now: datetime) -> list[Any]:
    def since(value: Any) -> str:
        return age(value, now)

    return [_cell(value) for value in cells(obj, since)]


def _cell(value: Any) -> Any:
    return "<none>" if value is None else value


def _included(obj: Obj, include: str, group_version: str) -> Obj | None:
    if include == "None":
        return None
    if include == "Object":
        return obj
    return {
        "kind": "PartialObjectMetadata",
        "apiVersion": f"meta.k8s.io/{group_version}",
        "metadata": obj["metadata"],
    }
