"""Reading YAML that somebody else wrote, bounded in size, depth and values.

What comes back are the values of JSON. Everything that other readers of the same file may take
otherwise, or that grows while it is read, is refused: several documents where one is expected, a
key that occurs twice, anchors and aliases (600 bytes of aliases can stand for gigabytes), merge
keys, tags of other types. Plain scalars follow YAML 1.1 as PyYAML reads it, but for dates, which
stay text; the text of each scalar is kept beside its value for readers with other rules (kubectl's
are Go's).
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar, Union

from cse_client.content import plain

__all__ = [
    "BadYaml",
    "Bounds",
    "Path",
    "Places",
    "Position",
    "Reading",
    "nearest_key",
    "path_text",
    "read_yaml",
    "read_yaml_documents",
]

#: The steps that lead to a value: keys of objects and indexes of lists.
Path = tuple[Union[str, int], ...]

_T = TypeVar("_T")

_TAG = "tag:yaml.org,2002:"
_TEXT = ("str", "timestamp", "value")
_SCALARS = (*_TEXT, "null", "bool", "int", "float")
#: Longer numbers are nobody's count or port, and take Python quadratic time.
_LONGEST_NUMBER = 40
_LONGEST_KEY = 60


class BadYaml(ValueError):
    """The text is not YAML that can be used; its message completes "NAME: ...".

    Nothing of the text is in the message but a key's name.
    """


@dataclass(frozen=True)
class Bounds:
    """How much is read: `size` in bytes, `depth` in levels, `values` counts all nodes."""

    size: int = 1024 * 1024
    depth: int = 32
    values: int = 20_000


@dataclass(frozen=True)
class Position:
    """Where a value, or its key, stands: its line from 1 on, and for a scalar its text as written.

    `plain` says that the text stands without quotes, so that YAML guesses its type.
    """

    line: int
    text: str = ""
    plain: bool = False


@dataclass(frozen=True)
class Reading:
    """A document's value, and the position of each value in it by its path."""

    value: Any = field(repr=False)
    positions: Mapping[Path, Position] = field(repr=False)


@dataclass(frozen=True)
class Places:
    """Names the values of a document in messages: by path, line, and the text as written."""

    positions: Mapping[Path, Position]

    def at(self, path: Path) -> str:
        """Return a value's path and line: `'spec.network' (line 7)`."""
        line = self.line(path)
        return f"'{path_text(path)}'" + (f" (line {line})" if line else "")

    def line(self, path: Path) -> int:
        """Return the line of a value, 0 where it is not known."""
        position = self.positions.get(path)
        return 0 if position is None else position.line

    def written(self, path: Path, value: Any) -> str:
        """Return a scalar as it is written, for a message."""
        position = self.positions.get(path)
        return plain(position.text if position and position.text else json.dumps(value))

    def not_text(self, path: Path, value: bool | float) -> str:
        """Return why a boolean or a number cannot be text, as a sentence, and how to write it."""
        kind = f"the boolean {json.dumps(value)}" if isinstance(value, bool) else "a number"
        return self.unquoted(path, value, kind)

    def unquoted(self, path: Path, value: Any, kind: str) -> str:
        """Return that a text without quotes is `kind` to readers of YAML, as a sentence."""
        written = self.written(path, value)
        key = f"{path[-1]}: " if path and isinstance(path[-1], str) else ""
        return (
            f"{self.at(path)} must be text, and YAML reads {written} as {kind}; put it in quotes: "
            f'{key}"{written}".'
        )


def path_text(path: Path) -> str:
    """Return a path for people: `spec.settings.csi[0].name`."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            text += f".{plain(step)}" if text else plain(step)
    return text


def nearest_key(key: str, beside: Iterable[str], known: Sequence[tuple[str, ...]]) -> str:
    """Return the known key that is most like an unknown one; empty where none is.

    `beside` are the keys known where it stands, `known` the paths of all.
    """
    import difflib

    near_by = {_alike(one): one for one in beside}
    wanted = _alike(key)
    if wanted in near_by:
        return near_by[wanted]
    moved = [path for path in known if _alike(path[-1]) == wanted]
    if moved:
        return path_text(moved[0])
    near = difflib.get_close_matches(wanted, list(near_by), n=1)
    if near:
        return near_by[near[0]]
    names = {_alike(path[-1]): path for path in known}
    near = difflib.get_close_matches(wanted, list(names), n=1, cutoff=0.8)
    return path_text(names[near[0]]) if near else ""


def _alike(key: str) -> str:
    return key.lower().replace("_", "").replace("-", "")


def read_yaml(data: bytes | str, bounds: Bounds | None = None) -> Reading:
    """Read one YAML document (JSON is YAML, too); an empty text is None.

    Raises:
        BadYaml: it is too large, is not YAML, or has what is refused here.
    """
    return _read(data, bounds or Bounds(), lambda reader: reader.read())


def read_yaml_documents(data: bytes | str, bounds: Bounds | None = None) -> list[Any]:
    """Read the values of a stream of YAML documents; the bounds hold for all of them together.

    Raises:
        BadYaml: as for `read_yaml`.
    """
    return _read(data, bounds or Bounds(), lambda reader: reader.read_all())


def _read(data: bytes | str, bounds: Bounds, work: Callable[[_Reader], _T]) -> _T:
    if len(data) > bounds.size:
        raise BadYaml(f"it is larger than {_size(bounds.size)}")
    text = data if isinstance(data, str) else _decoded(data)
    import yaml

    try:
        return work(_Reader(text, bounds))
    except yaml.YAMLError as error:
        raise BadYaml(_not_yaml(text, error)) from None


class _Reader:
    """Builds values from PyYAML's events, one pass, so that bounds hold before memory is spent."""

    def __init__(self, text: str, bounds: Bounds) -> None:
        import yaml

        self._yaml = yaml
        self._bounds = bounds
        self._loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(text)
        self._seen = 0
        self.positions: dict[Path, Position] = {}

    def read(self) -> Reading:
        try:
            events = self._events()
            first = next(events, None)
            if first is None:
                return Reading(None, {})
            value = self._value(first, events, ())
            if next(events, None) is not None:
                raise BadYaml("it holds more than one document")
            return Reading(value, self.positions)
        finally:
            self._loader.dispose()

    def read_all(self) -> list[Any]:
        try:
            events = self._events()
            return [self._value(first, events, ()) for first in events]
        finally:
            self._loader.dispose()

    def _events(self) -> Iterator[Any]:
        """Yield what stands in the documents; the documents' own beginnings and ends are left."""
        from yaml import events as kinds

        outer = (kinds.StreamStartEvent, kinds.DocumentStartEvent, kinds.DocumentEndEvent)
        while self._loader.check_event():
            event = self._loader.get_event()
            if isinstance(event, kinds.StreamEndEvent):
                return
            if isinstance(event, outer):
                continue
            if isinstance(event, kinds.AliasEvent) or getattr(event, "anchor", None):
                raise BadYaml(f"{_at(event)}: anchors and aliases (&, *) are not supported")
            self._seen += 1
            if self._seen > self._bounds.values:
                raise BadYaml(f"it holds more than {self._bounds.values} values")
            yield event

    def _value(self, event: Any, events: Iterator[Any], path: Path) -> Any:
        from yaml import events as kinds

        if len(path) > self._bounds.depth:
            raise BadYaml(f"{_at(event)}: it is nested deeper than {self._bounds.depth} levels")
        if isinstance(event, kinds.ScalarEvent):
            self.positions[path] = Position(_line(event), event.value, bool(event.implicit[0]))
            return self._scalar(event)
        self.positions[path] = Position(_line(event))
        if event.tag not in (None, "!", f"{_TAG}map", f"{_TAG}seq"):
            raise BadYaml(f"{_at(event)}: the tag is not supported")
        if isinstance(event, kinds.SequenceStartEvent):
            return self._list(events, path)
        return self._object(events, path)

    def _list(self, events: Iterator[Any], path: Path) -> list[Any]:
        from yaml import events as kinds

        values: list[Any] = []
        for event in events:
            if isinstance(event, kinds.SequenceEndEvent):
                break
            values.append(self._value(event, events, (*path, len(values))))
        return values

    def _object(self, events: Iterator[Any], path: Path) -> dict[str, Any]:
        from yaml import events as kinds

        values: dict[str, Any] = {}
        for event in events:
            if isinstance(event, kinds.MappingEndEvent):
                break
            key = self._key(event)
            if key in values:
                raise BadYaml(f"{_at(event)}: the key {_shown(key)} occurs twice")
            here = (*path, key)
            values[key] = self._value(next(events), events, here)
            self.positions[here] = replace(self.positions[here], line=_line(event))
        return values

    def _key(self, event: Any) -> str:
        from yaml import events as kinds

        if not isinstance(event, kinds.ScalarEvent):
            raise BadYaml(f"{_at(event)}: a key must be text")
        key = self._scalar(event, key=True)
        if not isinstance(key, str):
            quoted = _shown(event.value)
            raise BadYaml(
                f"{_at(event)}: the key {quoted} is not text for YAML but {_kind(key)}; put it in "
                "quotes"
            )
        return key

    def _scalar(self, event: Any, *, key: bool = False) -> Any:
        tag = event.tag
        if tag is None or tag == "!":
            quoted = tag == "!"
            implicit = (False, True) if quoted else event.implicit
            tag = self._loader.resolve(self._yaml.ScalarNode, event.value, implicit)
        kind = tag[len(_TAG) :] if tag.startswith(_TAG) else ""
        if kind == "merge" and key:
            raise BadYaml(f"{_at(event)}: merge keys (<<) are not supported")
        if kind not in _SCALARS:
            raise BadYaml(f"{_at(event)}: the tag is not supported")
        if kind in _TEXT:
            return event.value
        if len(event.value) > _LONGEST_NUMBER:
            raise BadYaml(f"{_at(event)}: a number has more than {_LONGEST_NUMBER} digits")
        node = self._yaml.ScalarNode(tag, event.value, event.start_mark, event.end_mark)
        try:
            value = self._loader.construct_object(node)
        except (ValueError, KeyError):
            raise BadYaml(f"{_at(event)}: the value does not fit its tag") from None
        if isinstance(value, float) and not math.isfinite(value):
            raise BadYaml(f"{_at(event)}: infinity and NaN are not supported")
        return value


def _not_yaml(text: str, error: Any) -> str:
    """Return where a text is not YAML; tabs look like what they are not."""
    mark = getattr(error, "problem_mark", None)
    if mark is None:
        return "it is not YAML"
    lines = text.splitlines()
    line = lines[mark.line] if mark.line < len(lines) else ""
    if "\t" in line[: len(line) - len(line.lstrip())]:
        return f"line {mark.line + 1}: it is indented with a tab; YAML accepts only spaces there"
    return f"it is not YAML (line {mark.line + 1}, column {mark.column + 1})"


def _decoded(data: bytes) -> str:
    wide = data[:2] in (b"\xff\xfe", b"\xfe\xff")
    try:
        return data.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError:
        raise BadYaml("it is not text in UTF-8") from None


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    return "a boolean" if isinstance(value, bool) else "a number"


def _shown(key: str) -> str:
    """Return a key for a message: short, and without what a terminal would obey."""
    return f"'{plain(key, _LONGEST_KEY)}'"


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1


def _at(event: Any) -> str:
    return f"line {_line(event)}"


def _size(count: int) -> str:
    return f"{count // 1024} KiB" if count >= 1024 else f"{count} bytes"  # noqa: PLR2004
