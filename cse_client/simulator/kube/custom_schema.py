"""What a CRD's schema says about the values of a custom resource: defaults, and what is wrong.

The parts of OpenAPI that structural schemas of add-ons use. Wording: kube-openapi:pkg/validation/
errors; a value of the wrong type hides what is below it. Not evaluated: rules in CEL
(x-kubernetes-validations), formats, allOf and its like.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from cse_client.simulator.kube.objects import clone

__all__ = ["fill_in_defaults", "violations"]

_TYPES: Mapping[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
}
Causes = Iterator[tuple[str, str]]


def fill_in_defaults(value: Any, schema: Mapping[str, Any]) -> None:
    """Add the defaults of a schema to a value, in place."""
    if isinstance(value, list):
        for item in value:
            fill_in_defaults(item, schema.get("items") or {})
    if not isinstance(value, dict):
        return
    more = schema.get("additionalProperties")
    for name, inner in (schema.get("properties") or {}).items():
        if name not in value and "default" in inner:
            value[name] = clone(inner["default"])
        if name in value:
            fill_in_defaults(value[name], inner)
    for name in value:
        if isinstance(more, dict) and name not in (schema.get("properties") or {}):
            fill_in_defaults(value[name], more)


def violations(obj: Mapping[str, Any], schema: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the fields that do not fit the schema, each with what is wrong."""
    whole = {**schema, "properties": {**(schema.get("properties") or {}), "metadata": {}}}
    return list(_check(obj, whole, ""))


def _check(value: Any, schema: Mapping[str, Any], path: str) -> Causes:
    if value is None and schema.get("nullable"):
        return
    wanted = schema.get("type")
    if schema.get("x-kubernetes-int-or-string"):
        wanted = "integer" if _is(value, "integer") else "string"
    if wanted and not _is(value, wanted):
        found = _name(value)
        text = f'{path} in body must be of type {wanted}: "{found}"'
        yield path, f'Invalid value: "{found}": {text}'
        return
    choices = schema.get("enum")
    if choices and value not in choices:
        listed = ", ".join(json.dumps(choice) for choice in choices)
        yield path, f"Unsupported value: {json.dumps(value)}: supported values: {listed}"
    if isinstance(value, dict):
        yield from _check_object(value, schema, path)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _check(item, schema.get("items") or {}, f"{path}[{index}]")
    else:
        yield from _check_plain(value, schema, path)


def _check_object(value: Mapping[str, Any], schema: Mapping[str, Any], path: str) -> Causes:
    below = f"{path}." if path else ""
    for name in schema.get("required") or ():
        if name not in value:
            yield f"{below}{name}", "Required value"
    properties, more = schema.get("properties") or {}, schema.get("additionalProperties")
    for name, item in value.items():
        inner = properties.get(name, more)
        if isinstance(inner, dict):
            yield from _check(item, inner, f"{below}{name}")


def _check_plain(value: Any, schema: Mapping[str, Any], path: str) -> Causes:
    shown = json.dumps(value)
    if isinstance(value, str):
        pattern = schema.get("pattern")
        if pattern and not re.search(pattern, value):
            yield path, f"Invalid value: {shown}: {path} in body should match '{pattern}'"
        return
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return
    least, most = schema.get("minimum"), schema.get("maximum")
    if least is not None and value < least:
        rule = f"{path} in body should be greater than or equal to {least}"
        yield path, f"Invalid value: {shown}: {rule}"
    if most is not None and value > most:
        rule = f"{path} in body should be less than or equal to {most}"
        yield path, f"Invalid value: {shown}: {rule}"


def _is(value: Any, wanted: str) -> bool:
    """Return whether a value is of a type; 1.0 is an integer, as in JSON, and null has no type."""
    if isinstance(value, bool) and wanted != "boolean":
        return False
    if wanted == "integer" and isinstance(value, float):
        return value.is_integer()
    return isinstance(value, _TYPES.get(wanted, (object,)))


def _name(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    names = {str: "string", list: "array", dict: "object", int: "integer", float: "number"}
    return names.get(type(value), "null")
