"""The columns of custom resources: `additionalPrinterColumns` of their definition."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import Any

from cse_client.simulator.kube.objects import Obj
from cse_client.simulator.kube.resources import Resource

__all__ = ["Cells", "Column", "Since", "custom_rows"]

# Name, type, and whether it is shown with -o wide only.
Column = tuple[str, str, bool]
Since = Callable[[Any], str]
Cells = Callable[[Obj, Since], Sequence[Any]]

_STEP = re.compile(r"\.([\w-]+)|\[(\d+)\]|\[\?\(@\.(\w+)==\"([^\"]*)\"\)\]|\['([^']+)'\]")


def _json_path(obj: Any, path: str) -> Any:
    """Return what the simple paths of additionalPrinterColumns point at, None for nothing."""
    for field, index, key, wanted, quoted in _STEP.findall(path):
        if field or quoted:
            obj = obj.get(field or quoted) if isinstance(obj, dict) else None
        elif index:
            obj = obj[int(index)] if isinstance(obj, list) and int(index) < len(obj) else None
        else:
            items = obj if isinstance(obj, list) else []
            obj = next((item for item in items if str(item.get(key)) == wanted), None)
    return obj


def custom_rows(resource: Resource) -> tuple[tuple[Column, ...], Cells]:
    """Return the columns that a CRD gives its resource, and what fills them."""
    columns = (
        ("Name", "string", False),
        *((name, kind, priority > 0) for name, kind, _path, priority in resource.columns),
    )

    def cells(obj: Obj, since: Since) -> Sequence[Any]:
        found: list[Any] = [obj["metadata"]["name"]]
        for _title, kind, path, _priority in resource.columns:
            value = _json_path(obj, path)
            if kind == "date":
                value = since(value) if value else None
            elif isinstance(value, (dict, list)):
                value = json.dumps(value, separators=(",", ":"))
            found.append("" if value is None else value)
        return found

    return columns, cells
