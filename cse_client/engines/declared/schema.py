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
from cse_client.yamlplaces import Path, Places, nearest_key

__all__ = ["Problems", "check_form", "schema", "schema_text"]

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


def check_form(document: Mapping[str, Any], places: Places) -> tuple[Mapping[str, Any], Problems]:
    """Find what is wrong with the keys of a file, and with the types of its values.

    Returns the document without what is wrong, for other checks, and the problems. The wrong
    entries of a list are None in it, so that the others keep their numbers.
    """
    check = _Check(places)
    return check.of_object(document, schema(), ()), check.problems


class _Check:
    """Each method returns the value without what is wrong with it: None if nothing is left."""

    def __init__(self, places: Places) -> None:
        self.problems: Problems = []
        self._places = places
        self._known = list(_paths(schema()))

    def of_object(self, value: Mapping[str, Any], wanted: Schema, path: Path) -> Mapping[str, Any]:
        properties: Mapping[str, Schema] = wanted.get("properties", {})
        other = wanted.get("additionalProperties")
        sound = {}
        for key, one in value.items():
            here = (*path, key)
            below = properties.get(key) or (other if isinstance(other, Mapping) else None)
            if below is None:
                self._unknown(here, properties)
                continue
            found = self._of(one, below, here)
            if found is not None:
                sound[key] = found
        for key in wanted.get("required", ()):
            if key not in value:
                at = self._places.at(path) if path else "The file"
                self._add(path, f"{at} has no key '{key}', which is required.")
        return sound

    def _of(self, value: Any, wanted: Schema, path: Path) -> Any:
        if value is None:
            missing = "has no value; write one, or remove the key"
            return None if self._places.is_unread(path) else self._wrong(path, missing)
        kinds = wanted["type"] if isinstance(wanted["type"], list) else [wanted["type"]]
        if kinds == ["object"]:
            if not isinstance(value, Mapping):
                what = f"must be an object{_with_keys(wanted)}, not {_kind(value)}"
                return self._wrong(path, what)
            return self.of_object(value, wanted, path)
        if kinds == ["array"]:
            return self._of_list(value, wanted, path)
        if "integer" in kinds and not ("string" in kinds and isinstance(value, str)):
            problem = self._number_problem(value, wanted, path, or_text="string" in kinds)
        elif kinds == ["boolean"]:
            good = isinstance(value, bool) and self._text(path) in ("", "true", "false")
            problem = "" if good else "must be true or false, without quotes"
        else:
            return self._of_text(value, wanted, path)
        return self._wrong(path, problem) if problem else value

    def _of_list(self, value: Any, wanted: Schema, path: Path) -> Any:
        if not isinstance(value, list):
            return self._wrong(path, f"must be a list, not {_kind(value)}")
        least, most = wanted.get("minItems", 0), wanted.get("maxItems", len(value))
        if len(value) < least:
            self._wrong(path, "is an empty list; write an entry, or remove the key")
        elif len(value) > most:
            self._wrong(path, f"has {len(value)} entries; the maximum is {most}")
        return [self._of(one, wanted["items"], (*path, number)) for number, one in enumerate(value)]

    def _number_problem(self, value: Any, wanted: Schema, path: Path, *, or_text: bool) -> str:
        is_number = isinstance(value, int) and not isinstance(value, bool)
        text = self._text(path)
        if or_text:
            if not is_number or value < wanted["minimum"] or (text and not _NUMBER.fullmatch(text)):
                return "must be a number of MB, or a size such as 8G"
        elif not is_number or (text and not _NUMBER.fullmatch(text.lstrip("-"))):
            return "must be a whole number, without quotes"
        elif "enum" in wanted and value not in wanted["enum"]:
            return f"must be {_either(wanted['enum'])}, not {_number(value)}"
        elif not wanted.get("minimum", value) <= value <= wanted.get("maximum", value):
            least, most = wanted["minimum"], wanted["maximum"]
            return f"must be from {least} to {most}, not {_number(value)}"
        return ""

    def _of_text(self, value: Any, wanted: Schema, path: Path) -> Any:
        if isinstance(value, (bool, int, float)):
            return self._add(path, self._places.not_text(path, value))
        problem = _text_problem(value, wanted)
        if problem:
            return self._wrong(path, problem)
        kind = self._other_kind(path)
        if kind and value == self._text(path):
            return self._add(path, self._places.unquoted(path, value, kind))
        return value

    def _other_kind(self, path: Path) -> str:
        """Return what other readers of YAML take a text without quotes for; empty: for text."""
        text = self._text(path)
        if re.match(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}($|[Tt ])", text):
            return "a date"
        return _KINDS.get(go_tag(text), "") if text else ""

    def _text(self, path: Path) -> str:
        """Return a scalar as written, empty if it is in quotes: then its type is certain."""
        position = self._places.positions.get(path)
        return position.text if position is not None and position.plain else ""

    def _unknown(self, path: Path, properties: Mapping[str, Schema]) -> None:
        key = str(path[-1])
        near = _ELSEWHERE.get(key.lower().replace("_", "").replace("-", ""))
        if near is None:
            near = nearest_key(key, properties, self._known)
        sentence = f"{self._places.at(path)} is not a key of this format"
        ending = f"; did you mean '{near}'?" if near else "."
        self._add(path, f"{sentence}{ending}")

    def _wrong(self, path: Path, what: str) -> None:
        end = "" if what.endswith("?") else "."
        self._add(path, f"{self._places.at(path)} {what}{end}")

    def _add(self, path: Path, text: str) -> None:
        self.problems.append((self._places.line(path), WrongUsage(text)))


def _text_problem(value: Any, wanted: Schema) -> str:
    """Return why a value is not the text that the schema requires, to follow its path."""
    if not isinstance(value, str):
        return f"must be text, not {_kind(value)}"
    if not value:
        return "is empty; write a value, or remove the key" if wanted.get("minLength") else ""
    if "const" in wanted and value != wanted["const"]:
        return f"must be {wanted['const']}, not '{_short(value)}'"
    if "enum" in wanted and value not in wanted["enum"]:
        near = nearest_key(value, wanted["enum"], ())
        meant = f"; did you mean '{near}'?" if near else ""
        return f"must be {_either(wanted['enum'])}, not '{_short(value)}'{meant}"
    return ""


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
