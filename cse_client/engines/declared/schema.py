"""The form of a file, by its JSON Schema: one sentence for each thing that is wrong, with its line.

The schema is the one home of keys and types. It is read by editors, and here by less than a
hundred lines instead of the library `jsonschema`: that would bring four more packages, one of them
compiled, and its messages ("'2' is not of type 'integer'") know neither lines nor the nearest key.
Tests ask the library whether both agree.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path as FilePath
from typing import Any

import cse_client
from cse_client.content import plain
from cse_client.errors import CseError, WrongUsage
from cse_client.kube.kubeconfig.goyaml import go_tag
from cse_client.yamldocs import Path, Places, nearest_key

__all__ = ["Problems", "form_problems", "schema", "schema_text"]

Schema = Mapping[str, Any]
#: What is wrong with a file, and in which line.
Problems = list[tuple[int, CseError]]

_NUMBER = re.compile(r"0|[1-9][0-9]{0,17}", re.ASCII)
_KINDS = {"null": "nothing", "bool": "a boolean", "int": "a number", "float": "a number"}
#: Words of options and of CSE's files that no key is like.
_ELSEWHERE = {
    "vip": "spec.virtualAddress",
    "workers": "spec.pools",
    "nfs": "",
    "topology": "spec.controlPlane",
    "k8distribution": "spec.template",
    "settings": "spec",
}
_LONGEST_SHOWN = 60


def schema_text() -> str:
    """Return the JSON Schema of a file as it is shipped."""
    path = FilePath(cse_client.__file__).with_name("schemas") / "cluster-file.json"
    return path.read_text(encoding="utf-8")


@cache
def schema() -> Schema:
    """Return the JSON Schema of a file."""
    found: Schema = json.loads(schema_text())
    return found


def form_problems(document: Mapping[str, Any], places: Places) -> Problems:
    """Return what is wrong with the keys of a file, and with the types of its values."""
    return list(_Check(places).of_object(document, schema(), ()))


class _Check:
    def __init__(self, places: Places) -> None:
        self._places = places
        self._known = list(_paths(schema()))

    def of_object(self, value: Any, wanted: Schema, path: Path) -> Iterator[tuple[int, CseError]]:
        if not isinstance(value, Mapping):
            yield self._wrong(path, f"must be an object{_with_keys(wanted)}, not {_kind(value)}")
            return
        properties: Mapping[str, Schema] = wanted.get("properties", {})
        other = wanted.get("additionalProperties")
        for key, one in value.items():
            here = (*path, key)
            below = properties.get(key) or (other if isinstance(other, Mapping) else None)
            if below is None:
                yield self._unknown(here, properties)
            else:
                yield from self._of(one, below, here)
        for key in wanted.get("required", ()):
            if key not in value:
                at = self._places.at(path) if path else "The file"
                yield (
                    self._places.line(path),
                    WrongUsage(f"{at} has no key '{key}', which is required."),
                )

    def _of(self, value: Any, wanted: Schema, path: Path) -> Iterator[tuple[int, CseError]]:
        if value is None:
            yield self._wrong(path, "has no value; write one, or remove the key")
            return
        kinds = wanted["type"] if isinstance(wanted["type"], list) else [wanted["type"]]
        if kinds == ["object"]:
            yield from self.of_object(value, wanted, path)
        elif kinds == ["array"]:
            yield from self._of_list(value, wanted, path)
        elif "integer" in kinds and not ("string" in kinds and isinstance(value, str)):
            yield from self._of_number(value, wanted, path, or_text="string" in kinds)
        elif kinds == ["boolean"]:
            if not isinstance(value, bool) or self._text(path) not in ("", "true", "false"):
                yield self._wrong(path, "must be true or false, without quotes")
        else:
            yield from self._of_text(value, wanted, path)

    def _of_list(self, value: Any, wanted: Schema, path: Path) -> Iterator[tuple[int, CseError]]:
        if not isinstance(value, list):
            yield self._wrong(path, f"must be a list, not {_kind(value)}")
            return
        least, most = wanted.get("minItems", 0), wanted.get("maxItems", len(value))
        if len(value) < least:
            yield self._wrong(path, "is an empty list; write an entry, or remove the key")
        elif len(value) > most:
            yield self._wrong(path, f"has {len(value)} entries; the maximum is {most}")
        for number, one in enumerate(value):
            yield from self._of(one, wanted["items"], (*path, number))

    def _of_number(
        self, value: Any, wanted: Schema, path: Path, *, or_text: bool
    ) -> Iterator[tuple[int, CseError]]:
        is_number = isinstance(value, int) and not isinstance(value, bool)
        text = self._text(path)
        if or_text:
            if not is_number or value < wanted["minimum"] or (text and not _NUMBER.fullmatch(text)):
                yield self._wrong(path, "must be a number of MB, or a size such as 8G")
        elif not is_number or (text and not _NUMBER.fullmatch(text.lstrip("-"))):
            yield self._wrong(path, "must be a whole number, without quotes")
        elif "enum" in wanted and value not in wanted["enum"]:
            yield self._wrong(path, f"must be {_either(wanted['enum'])}, not {_number(value)}")
        elif not wanted.get("minimum", value) <= value <= wanted.get("maximum", value):
            least, most = wanted["minimum"], wanted["maximum"]
            yield self._wrong(path, f"must be from {least} to {most}, not {_number(value)}")

    def _of_text(self, value: Any, wanted: Schema, path: Path) -> Iterator[tuple[int, CseError]]:
        if isinstance(value, (Mapping, list)):
            yield self._wrong(path, f"must be text, not {_kind(value)}")
        elif not isinstance(value, str):
            yield self._places.line(path), WrongUsage(self._places.not_text(path, value))
        elif not value:
            if wanted.get("minLength"):
                yield self._wrong(path, "is empty; write a value, or remove the key")
        elif "const" in wanted and value != wanted["const"]:
            yield self._wrong(path, f"must be {wanted['const']}, not '{_short(value)}'")
        elif "enum" in wanted and value not in wanted["enum"]:
            near = nearest_key(value, wanted["enum"], ())
            meant = f"; did you mean '{near}'?" if near else ""
            wish = f"must be {_either(wanted['enum'])}, not '{_short(value)}'{meant}"
            yield self._wrong(path, wish.rstrip("."))
        else:
            yield from self._ambiguous(value, path)

    def _ambiguous(self, value: str, path: Path) -> Iterator[tuple[int, CseError]]:
        """Yield that other readers of YAML take a text without quotes for something else."""
        text = self._text(path)
        kind = "a date" if re.match(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}($|[Tt ])", text) else ""
        kind = kind or (_KINDS.get(go_tag(text), "") if text else "")
        if kind and value == text:
            yield self._places.line(path), WrongUsage(self._places.unquoted(path, value, kind))

    def _text(self, path: Path) -> str:
        """Return a scalar as written, empty if it is in quotes: then its type is certain."""
        position = self._places.positions.get(path)
        return position.text if position is not None and position.plain else ""

    def _unknown(self, path: Path, properties: Mapping[str, Schema]) -> tuple[int, CseError]:
        key = str(path[-1])
        near = _ELSEWHERE.get(key.lower().replace("_", "").replace("-", ""))
        if near is None:
            near = nearest_key(key, properties, self._known)
        sentence = f"{self._places.at(path)} is not a key of this format"
        ending = f"; did you mean '{near}'?" if near else "."
        return self._places.line(path), WrongUsage(f"{sentence}{ending}")

    def _wrong(self, path: Path, what: str) -> tuple[int, CseError]:
        end = "" if what.endswith("?") else "."
        return self._places.line(path), WrongUsage(f"{self._places.at(path)} {what}{end}")


def _paths(wanted: Schema, above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for key, below in wanted.get("properties", {}).items():
        yield (*above, key)
        yield from _paths(below.get("items", below), (*above, key))


def _with_keys(wanted: Schema) -> str:
    keys = ", ".join(wanted.get("properties", ()))
    return f" with the keys {keys}" if keys else ""


def _kind(value: Any) -> str:
    if isinstance(value, Mapping):
        return "an object"
    if isinstance(value, list):
        return "a list"
    return "a single value"


def _either(values: Sequence[Any]) -> str:
    *others, last = (str(value) for value in values)
    return f"{', '.join(others)} or {last}" if others else last


def _number(value: int) -> str:
    return str(value) if abs(value) < 10**12 else "a huge number"


def _short(text: str) -> str:
    return plain(text, _LONGEST_SHOWN)
