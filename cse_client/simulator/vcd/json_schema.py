"""The part of JSON Schema that schemas of runtime defined entities use.

Known words: type, required, properties, items, enum, minimum, maximum, minItems, pattern, `$ref`
to `#/definitions/...`, allOf, not. Other words are annotations, as the standard has it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["violations"]

_TYPES: Mapping[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}


def violations(value: Any, schema: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with a value, one text for each place; none for a valid one."""
    return list(_check(value, schema, schema, "#"))


def _check(
    value: Any, schema: Mapping[str, Any], root: Mapping[str, Any], place: str
) -> Iterator[str]:
    if "$ref" in schema:
        yield from _check(value, _definition(schema["$ref"], root), root, place)
        return
    wanted = schema.get("type")
    if wanted is not None and not _is(value, wanted):
        yield f"{place}: expected type: {wanted}, found: {type(value).__name__}"
        return
    if "enum" in schema and value not in schema["enum"]:
        yield f"{place}: {value} is not a valid enum value"
    for one in schema.get("allOf", ()):
        yield from _check(value, one, root, place)
    if "not" in schema and not list(_check(value, schema["not"], root, place)):
        yield f"{place}: subject must not be valid against schema {schema['not']}"
    if isinstance(value, dict):
        yield from _check_object(value, schema, root, place)
    elif isinstance(value, list):
        if len(value) < schema.get("minItems", 0):
            yield f"{place}: expected minimum item count: {schema['minItems']}"
        for number, one in enumerate(value):
            yield from _check(one, schema.get("items", {}), root, f"{place}/{number}")
    else:
        yield from _check_plain(value, schema, place)


def _check_plain(value: Any, schema: Mapping[str, Any], place: str) -> Iterator[str]:
    if isinstance(value, str):
        if "pattern" in schema and not re.search(schema["pattern"], value):
            yield f"{place}: string [{value}] does not match pattern {schema['pattern']}"
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        if value < schema.get("minimum", value):
            yield f"{place}: {value} is not greater or equal to {schema['minimum']}"
        if value > schema.get("maximum", value):
            yield f"{place}: {value} is not less or equal to {schema['maximum']}"


def _check_object(
    value: Mapping[str, Any], schema: Mapping[str, Any], root: Mapping[str, Any], place: str
) -> Iterator[str]:
    for key in schema.get("required", ()):
        if key not in value:
            yield f"{place}: required key [{key}] not found"
    for key, inner in schema.get("properties", {}).items():
        if key in value:
            yield from _check(value[key], inner, root, f"{place}/{key}")


def _definition(reference: str, root: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Any = root
    for part in reference.lstrip("#/").split("/"):
        found = found[part]
    return dict(found)


def _is(value: Any, wanted: Any) -> bool:
    """Return whether a value is of a type, or of one in a list.

    Not as in kube/custom_schema.py: null is a type, and 1.0 is not an integer, for the library
    that the messages are from goes by the class of a number (everit-org/json-schema,
    NumberSchemaValidatingVisitor).
    """
    if isinstance(wanted, list):
        return any(_is(value, one) for one in wanted)
    if isinstance(value, bool) and wanted != "boolean":
        return False
    return isinstance(value, _TYPES.get(wanted, (object,)))
