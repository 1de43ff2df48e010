"""The query service's language: parameters, FIQL filters, pages.

Guide "Query Service": `;` is and, `,` is or, parentheses group, `*` is a wildcard; operators ==,
!=, =gt=, =ge=, =lt=, =le=. From API 35 on `( ) , ; \\` in a value are escaped by a backslash;
before, clients say filterEncoded=true and encode the values twice
(pyvcloud:pyvcloud/vcd/client.py).
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import unquote_plus

from cse_client.simulator.vcd.errors import bad_request
from cse_client.simulator.vcd.reading import last_part

__all__ = ["MOST_METADATA_FIELDS", "Query", "Row", "parameters"]

_DEFAULT_PAGE_SIZE = 25
_LARGEST_PAGE = 128
MOST_METADATA_FIELDS = 8

#: Attributes that hold addresses; they are compared by the id at their end.
_REFERENCES = frozenset(
    ("href", "vdc", "org", "container", "owner", "catalog", "entity", "network", "object")
)
_OPERATOR = re.compile(r"(==|!=|=gt=|=ge=|=lt=|=le=)")
_METADATA = re.compile(r"metadata(?:@(?P<domain>[A-Za-z]+))?:(?P<key>.+)")


@dataclass
class Row:
    """One hit before rendering: its attributes, and its metadata by (domain, key)."""

    attributes: Mapping[str, str | None]
    metadata: Mapping[tuple[str, str], tuple[str, str]] = field(default_factory=dict)
    #: What filters know of it besides, and records do not show.
    unseen: Mapping[str, str] = field(default_factory=dict)

    def get(self, name: str) -> str:
        """Return an attribute for a comparison; empty where it is missing."""
        return self.attributes.get(name) or self.unseen.get(name) or ""


Test = Callable[[Row], bool]


def parameters(query: str) -> dict[str, str]:
    """Read a query string, decoding each value once."""
    values = {}
    for part in query.split("&"):
        name, equals, value = part.partition("=")
        if equals:
            values[name] = unquote_plus(value)
    return values


class Query:
    """A query's wishes, read from its parameters.

    Raises 400 for what VCD refuses: broken filters, unknown formats, too many metadata fields.
    """

    def __init__(self, values: Mapping[str, str]) -> None:
        self.kind = values.get("type", "")
        self.format = values.get("format", "records")
        if self.format not in ("records", "idrecords", "references"):
            raise bad_request(f"Unknown query format {self.format}.")
        self.page = _number(values.get("page", "1"), "page")
        size = _number(values.get("pageSize", str(_DEFAULT_PAGE_SIZE)), "pageSize")
        self.page_size = min(size, _LARGEST_PAGE)
        self.fields = [one for one in values.get("fields", "").split(",") if one]
        asked = [one for one in self.fields if one.startswith("metadata")]
        if len(asked) > MOST_METADATA_FIELDS:
            raise bad_request(
                f"A query may ask for at most {MOST_METADATA_FIELDS} metadata fields."
            )
        self.sort = [(one, False) for one in _list(values.get("sortAsc"))]
        self.sort += [(one, True) for one in _list(values.get("sortDesc"))]
        self.filter = values.get("filter", "")
        self.encoded = values.get("filterEncoded", "").lower() == "true"
        self._test = _Filter(self.filter, encoded=self.encoded).read() if self.filter else None
        self.names = _Filter.names(self.filter)

    def select(self, rows: Sequence[Row]) -> list[Row]:
        """Return the rows that pass the filter, in the wanted order."""
        test = self._test
        found = [row for row in rows if test(row)] if test is not None else list(rows)
        for name, descending in reversed(self.sort):
            found.sort(key=lambda row: row.attributes.get(name) or "", reverse=descending)
        return found

    def metadata_keys(self) -> list[tuple[str, str]]:
        """Return the metadata asked for: (domain, key)."""
        keys = []
        for one in self.fields:
            match = _METADATA.fullmatch(one)
            if match:
                keys.append((match["domain"] or "GENERAL", match["key"]))
        return keys


def _list(value: str | None) -> list[str]:
    return [one for one in (value or "").split(",") if one]


def _number(value: str, name: str) -> int:
    if not value.isdigit() or int(value) < 1:
        raise bad_request(f"The value {value} of the query parameter {name} is invalid.")
    return int(value)


class _Filter:
    """A recursive reader of FIQL."""

    def __init__(self, text: str, *, encoded: bool) -> None:
        self._text = text
        self._at = 0
        self._encoded = encoded

    def read(self) -> Test:
        test = self._either()
        if self._at < len(self._text):
            raise self._broken()
        return test

    @staticmethod
    def names(text: str) -> set[str]:
        """Return the attribute names that a filter uses."""
        return set(re.findall(r"(?:^|[(;,])([A-Za-z_][\w.]*)(?===|!=|=[gl][te]=)", text))

    def _broken(self) -> Exception:
        return bad_request(f"Bad request: the filter {self._text!r} is malformed.")

    def _peek(self) -> str:
        return self._text[self._at] if self._at < len(self._text) else ""

    def _either(self) -> Test:
        tests = [self._both()]
        while self._peek() == ",":
            self._at += 1
            tests.append(self._both())
        return tests[0] if len(tests) == 1 else lambda row: any(test(row) for test in tests)

    def _both(self) -> Test:
        tests = [self._term()]
        while self._peek() == ";":
            self._at += 1
            tests.append(self._term())
        return tests[0] if len(tests) == 1 else lambda row: all(test(row) for test in tests)

    def _term(self) -> Test:
        if self._peek() == "(":
            self._at += 1
            test = self._either()
            if self._peek() != ")":
                raise self._broken()
            self._at += 1
            return test
        match = _OPERATOR.search(self._text, self._at)
        if match is None or match.start() == self._at:
            raise self._broken()
        name = self._text[self._at : match.start()]
        self._at = match.end()
        return _comparison(name, match.group(), self._value())

    def _value(self) -> list[str | None]:
        """Read a value as its parts: text, and None for each wildcard."""
        parts: list[str | None] = []
        plain: list[str] = []
        while self._at < len(self._text) and self._text[self._at] not in ",;)":
            char = self._text[self._at]
            self._at += 1
            if char == "\\" and self._at < len(self._text):
                plain.append(self._text[self._at])
                self._at += 1
            elif char == "*":
                parts += ["".join(plain), None]
                plain = []
            else:
                plain.append(char)
        parts.append("".join(plain))
        if not self._encoded:
            return parts
        return [unquote_plus(part) if part is not None else None for part in parts]


def _comparison(name: str, operator: str, value: list[str | None]) -> Test:
    match = _METADATA.fullmatch(name)
    if match:
        key = (match["domain"] or "GENERAL", match["key"])
        return _metadata_comparison(key, operator, value)
    if name == "id":
        name = "href"
    if name == "status":
        # An enumeration: vcd-cli asks for tasks whose status is SUCCESS, records say success.
        anycase = _compare(operator, [part and part.upper() for part in value], by_id=False)
        return lambda row: anycase(row.get(name).upper())
    compare = _compare(operator, value, by_id=name in _REFERENCES)
    return lambda row: compare(row.get(name))


def _metadata_comparison(key: tuple[str, str], operator: str, value: list[str | None]) -> Test:
    """Compare a metadata value, written as `STRING:text`; a missing entry never matches."""
    first = value[0] or ""
    kind, colon, rest = first.partition(":")
    if not colon or kind not in ("STRING", "NUMBER", "BOOLEAN", "DATETIME"):
        raise bad_request("A metadata filter needs the form metadata:key==STRING:value.")
    compare = _compare(operator, [rest, *value[1:]], by_id=False)

    def test(row: Row) -> bool:
        entry = row.metadata.get(key)
        return entry is not None and compare(entry[1])

    return test


def _compare(operator: str, value: list[str | None], *, by_id: bool) -> Callable[[str], bool]:
    if len(value) > 1:
        pattern = "".join("*" if part is None else _literally(part) for part in value)
        matches = re.compile(fnmatch.translate(pattern)).match
        if operator == "!=":
            return lambda actual: matches(actual) is None
        return lambda actual: matches(actual) is not None
    wanted = value[0] or ""
    if by_id:
        wanted = last_part(wanted)
    if operator in ("==", "!="):
        equal = operator == "=="
        return lambda actual: ((last_part(actual) if by_id else actual) == wanted) is equal
    return lambda actual: _ordered(operator, actual, wanted)


def _literally(part: str) -> str:
    return re.sub(r"([*?[])", r"[\1]", part)


def _ordered(operator: str, actual: str, wanted: str) -> bool:
    left: float | str = actual
    right: float | str = wanted
    try:
        left, right = float(actual), float(wanted)
    except ValueError:
        left, right = actual, wanted
    if operator == "=gt=":
        return left > right  # type: ignore[operator]
    if operator == "=ge=":
        return left >= right  # type: ignore[operator]
    if operator == "=lt=":
        return left < right  # type: ignore[operator]
    return left <= right  # type: ignore[operator]
