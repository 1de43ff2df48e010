"""Reading YAML that somebody else wrote, bounded in size, depth and values.

What comes back are the values of JSON. Everything that other readers of the same file may take
otherwise, or that grows while it is read, is refused: several documents where one is expected, a
key that occurs twice, anchors and aliases (600 bytes of aliases can stand for gigabytes), merge
keys, tags of other types. Plain scalars follow YAML 1.1 as PyYAML reads it, but for dates, which
stay text; the text of each scalar is kept beside its value for readers with other rules (kubectl's
are Go's).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NoReturn, TypeVar

from cse_client.content import plain
from cse_client.yamlplaces import Path, Position

__all__ = [
    "BadYaml",
    "Bounds",
    "Reading",
    "read_yaml",
    "read_yaml_documents",
    "survey_yaml",
]


_T = TypeVar("_T")

_TAG = "tag:yaml.org,2002:"
_TEXT = ("str", "timestamp", "value")
_SCALARS = (*_TEXT, "null", "bool", "int", "float")
#: Longer numbers are nobody's count or port, and take Python quadratic time.
_LONGEST_NUMBER = 40
_LONGEST_KEY = 60
_LONGEST_REASON = 120
#: A line that is indented with a tab, and is not the continuation of a text.
_TABBED = re.compile(r" *\t[ \t]*(- |[\w.-]+:(\s|$))")
_NO_TAB = "it is indented with a tab; YAML accepts only spaces there"


class BadYaml(ValueError):
    """The text is not YAML that can be used; its message completes "NAME: ...".

    `text` is the message without the line; `line` is 0 where it is not known. Nothing of the text
    that was read is in it but a key's name, or a character that the parser names.
    """

    def __init__(self, text: str, line: int = 0) -> None:
        super().__init__(f"line {line}: {text}" if line else text)
        self.text = text
        self.line = line


@dataclass(frozen=True)
class Bounds:
    """How much is read: `size` in bytes, `depth` in levels, `values` counts all nodes."""

    size: int = 1024 * 1024
    depth: int = 32
    values: int = 20_000


@dataclass(frozen=True)
class Reading:
    """A document's value, and the position of each value in it by its path.

    `problems` are those that `survey_yaml` found. `is_whole` says that it could read on to the end.
    """

    value: Any = field(repr=False)
    positions: Mapping[Path, Position] = field(repr=False)
    problems: Sequence[BadYaml] = ()
    is_whole: bool = True


def read_yaml(data: bytes | str, bounds: Bounds | None = None) -> Reading:
    """Read one YAML document (JSON is YAML, too); an empty text is None.

    Raises:
        BadYaml: it is too large, is not YAML, or has what is refused here.
    """
    return _read(data, bounds or Bounds(), lambda reader: reader.read())


def survey_yaml(data: bytes | str, bounds: Bounds | None = None) -> Reading:
    """Read one YAML document like `read_yaml`, but collect all problems instead of raising one.

    It reads on after everything that `read_yaml` refuses, but not after what is not YAML, or is too
    large: then the value is None.
    """
    bounds = bounds or Bounds()
    reader: _Reader | None = None
    try:
        text = _text(data, bounds)
        reader = _Reader(text, bounds, collect=True)
        return _parsed(text, reader.read)
    except BadYaml as fatal:
        found = [] if reader is None else reader.problems
        tabs = _tabbed(text, fatal.line) if fatal.text == _NO_TAB else []
        return Reading(None, {}, (*found, fatal, *tabs), is_whole=False)


def _tabbed(text: str, after: int) -> list[BadYaml]:
    """Return the problems of the lines after one that is indented with a tab, and are so, too."""
    lines = enumerate(text.splitlines(), 1)
    return [
        BadYaml(_NO_TAB, number) for number, line in lines if number > after and _TABBED.match(line)
    ]


def read_yaml_documents(data: bytes | str, bounds: Bounds | None = None) -> list[Any]:
    """Read the values of a stream of YAML documents; the bounds hold for all of them together.

    Raises:
        BadYaml: as for `read_yaml`.
    """
    return _read(data, bounds or Bounds(), lambda reader: reader.read_all())


def _read(data: bytes | str, bounds: Bounds, work: Callable[[_Reader], _T]) -> _T:
    text = _text(data, bounds)
    return _parsed(text, lambda: work(_Reader(text, bounds)))


def _text(data: bytes | str, bounds: Bounds) -> str:
    if len(data) > bounds.size:
        raise BadYaml(f"it is larger than {_size(bounds.size)}")
    return data if isinstance(data, str) else _decoded(data)


def _parsed(text: str, work: Callable[[], _T]) -> _T:
    import yaml

    try:
        return work()
    except yaml.YAMLError as error:
        raise _not_yaml(text, error) from None


class _Reader:
    """Builds values from PyYAML's events, one pass, so that bounds hold before memory is spent."""

    def __init__(self, text: str, bounds: Bounds, *, collect: bool = False) -> None:
        import yaml

        self._yaml = yaml
        self._bounds = bounds
        self._collect = collect
        # libyaml looks at the first characters here, PyYAML's own reader at all
        self._loader = _parsed(text, lambda: getattr(yaml, "CSafeLoader", yaml.SafeLoader)(text))
        self._seen = 0
        self.positions: dict[Path, Position] = {}
        self.problems: list[BadYaml] = []

    def read(self) -> Reading:
        try:
            events = self._events()
            first = next(events, None)
            if first is None:
                return Reading(None, {})
            value = self._value(first, events, ())
            if next(events, None) is not None:
                raise BadYaml("it holds more than one document")
            return Reading(value, self.positions, self.problems)
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
            self._seen += 1
            if self._seen > self._bounds.values:
                raise BadYaml(f"it holds more than {self._bounds.values} values")
            if isinstance(event, kinds.AliasEvent) or getattr(event, "anchor", None):
                self._refuse(event, "anchors and aliases (&, *) are not supported")
            yield event

    def _refuse(self, event: Any, text: str) -> None:
        """Raise a problem, or collect it, and read on."""
        problem = BadYaml(text, _line(event))
        if not self._collect:
            raise problem
        if str(problem) not in map(str, self.problems[-1:]):
            self.problems.append(problem)

    def _value(self, event: Any, events: Iterator[Any], path: Path) -> Any:
        from yaml import events as kinds

        if len(path) > self._bounds.depth:
            raise BadYaml(f"it is nested deeper than {self._bounds.depth} levels", _line(event))
        try:
            if isinstance(event, kinds.ScalarEvent):
                self.positions[path] = Position(_line(event), event.value, bool(event.implicit[0]))
                return self._scalar(event)
            self.positions[path] = Position(_line(event))
            if isinstance(event, kinds.AliasEvent):
                raise _UnreadError
            if event.tag not in (None, "!", f"{_TAG}map", f"{_TAG}seq"):
                self._refuse(event, "the tag is not supported")
                self._skip(event, events, path)
                raise _UnreadError
        except _UnreadError:
            self.positions[path] = Position(_line(event), unread=True)
            return None
        if isinstance(event, kinds.SequenceStartEvent):
            return self._list(events, path)
        return self._object(events, path)

    def _skip(self, event: Any, events: Iterator[Any], path: Path) -> None:
        """Read a value that is not used, for the problems in it."""
        from yaml import events as kinds

        kept, self.positions = self.positions, {}
        if isinstance(event, kinds.SequenceStartEvent):
            self._list(events, path)
        elif isinstance(event, kinds.MappingStartEvent):
            self._object(events, path)
        self.positions = kept

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
            try:
                key = self._key(event, events, path)
            except _UnreadError:
                self._unused(events, path)
                continue
            if key in values:
                self._refuse(event, f"the key {_shown(key)} occurs twice")
                self._unused(events, path)
                continue
            here = (*path, key)
            values[key] = self._value(next(events), events, here)
            self.positions[here] = replace(self.positions[here], line=_line(event))
        return values

    def _unused(self, events: Iterator[Any], path: Path) -> None:
        """Read the value of a key that is not used."""
        kept, self.positions = self.positions, {}
        self._value(next(events), events, (*path, ""))
        self.positions = kept

    def _key(self, event: Any, events: Iterator[Any], path: Path) -> str:
        from yaml import events as kinds

        if not isinstance(event, kinds.ScalarEvent):
            self._refuse(event, "a key must be text")
            self._skip(event, events, path)
            raise _UnreadError
        key = self._scalar(event, key=True)
        if not isinstance(key, str):
            quoted = _shown(event.value)
            text = f"the key {quoted} is not text for YAML but {_kind(key)}; put it in quotes"
            self._refuse(event, text)
            raise _UnreadError
        return key

    def _scalar(self, event: Any, *, key: bool = False) -> Any:
        tag = event.tag
        if tag is None or tag == "!":
            quoted = tag == "!"
            implicit = (False, True) if quoted else event.implicit
            tag = self._loader.resolve(self._yaml.ScalarNode, event.value, implicit)
        kind = tag[len(_TAG) :] if tag.startswith(_TAG) else ""
        if kind == "merge" and key:
            self._unusable(event, "merge keys (<<) are not supported")
        if kind not in _SCALARS:
            self._unusable(event, "the tag is not supported")
        if kind in _TEXT:
            return event.value
        if len(event.value) > _LONGEST_NUMBER:
            self._unusable(event, f"a number has more than {_LONGEST_NUMBER} digits")
        node = self._yaml.ScalarNode(tag, event.value, event.start_mark, event.end_mark)
        try:
            value = self._loader.construct_object(node)
        except (ValueError, KeyError):
            self._unusable(event, "the value does not fit its tag")
        if isinstance(value, float) and not math.isfinite(value):
            self._unusable(event, "infinity and NaN are not supported")
        return value

    def _unusable(self, event: Any, text: str) -> NoReturn:
        self._refuse(event, text)
        raise _UnreadError


class _UnreadError(Exception):
    """A value cannot be used, for a reason that was collected."""


def _not_yaml(text: str, error: Any) -> BadYaml:
    """Return where a text is not YAML, and why; tabs look like what they are not."""
    mark = getattr(error, "problem_mark", None)
    if mark is None:
        return _not_printable(text)
    lines = text.splitlines()
    line = lines[mark.line] if mark.line < len(lines) else ""
    if "\t" in line[: len(line) - len(line.lstrip())]:
        return BadYaml(_NO_TAB, mark.line + 1)
    reason = plain(" ".join(str(error.problem).split()), _LONGEST_REASON)
    began = error.context_mark
    if error.context and began is not None and began.line != mark.line:
        reason += f", {error.context} that begins in line {began.line + 1}"
    return BadYaml(f"it is not YAML at column {mark.column + 1}: {reason}", mark.line + 1)


def _not_printable(text: str) -> BadYaml:
    """Return which character YAML does not allow anywhere."""
    from yaml.reader import Reader

    found = Reader.NON_PRINTABLE.search(text)
    if found is None:
        return BadYaml("it is not YAML")
    line = text.count("\n", 0, found.start()) + 1
    return BadYaml(f"the character U+{ord(found[0]):04X} is not allowed in YAML", line)


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


def _size(count: int) -> str:
    return f"{count // 1024} KiB" if count >= 1024 else f"{count} bytes"  # noqa: PLR2004
