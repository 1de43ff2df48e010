"""YAML as kubectl reads it: Go's rules for what a scalar is, which differ from Python's.

kubectl reads kubeconfigs with sigs.k8s.io/yaml, whose parser is go-yaml 2: `1e3` and `y` are text
for Python and a number and a truth value for Go, `12:30` the other way round. Rules:
kubernetes-sigs/yaml, goyaml.v2/resolve.go and decode.go; tests ask a real kubectl.
"""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

__all__ = ["TAG", "TooFar", "compose", "go_tag", "node", "scalar", "serialize", "value_of"]

#: What the tags of YAML's own types begin with.
TAG = "tag:yaml.org,2002:"

_TRUE = frozenset(("y", "yes", "true", "on"))
_FALSE = frozenset(("n", "no", "false", "off"))
_NOT_FINITE = frozenset((".nan", ".inf"))


_INT = re.compile(r"[+-]?(0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO]?[0-7]+|0|[1-9][0-9]*)")
_SIGNED_BINARY = re.compile(r"0b[+-][01]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
#: More characters than 64 bits take in base 2.
_LONGEST_NUMBER = 80
_PLAIN_TAGS = frozenset(f"{TAG}{kind}" for kind in ("null", "bool", "int", "float"))
#: A tag without a name. For libyaml it means nothing, for Go that the value is text.
_BARE_TAG = re.compile(r"(?:^|[\s\[{,:-])!(?:[\s,\]}]|$)")
#: Text that every reader of YAML takes for text without quotes, of whichever version: a letter
#: first, then nothing that has a meaning to YAML.
_PLAIN = re.compile(r"[A-Za-z](?:[A-Za-z0-9_./@+=:-]*[A-Za-z0-9_./@+=-])?")
_NOT_PLAIN = _TRUE | _FALSE | {"null", "none", "nan", "inf", "infinity"}
_ENOUGH = 1 << 20
#: So many nodes a file may stand for once its aliases are followed; go-yaml has a bound as well.
_LARGEST = 500_000
_DEEPEST = 100


def _spellings(word: str) -> tuple[str, ...]:
    return word, word.capitalize(), word.upper()


_WORDS = {
    **dict.fromkeys((one for word in _TRUE | _FALSE for one in _spellings(word)), "bool"),
    **dict.fromkeys(("", "~", *_spellings("null")), "null"),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), "float"),
    **dict.fromkeys(
        (sign + word for sign in ("", "+", "-") for word in (".inf", ".Inf", ".INF")), "float"
    ),
    "<<": "merge",
}


class TooFar(ValueError):
    """A document that Go does not read, or not in reasonable time; the message gives the reason."""


def go_tag(text: str) -> str:
    """Return the type of a plain scalar: `str`, `null`, `bool`, `int`, `float` or `merge`."""
    known = _WORDS.get(text)
    if known:
        return known
    if text[0] == ".":  # strconv.ParseFloat, which takes no `_` here
        return "float" if _is_float(text) else "str"
    if text[0] not in "+-0123456789":
        return "str"
    digits = text.replace("_", "")
    if _is_int(digits):
        return "int"
    return "float" if _is_float(digits) else "str"


def compose(text: str) -> list[Any]:
    """Return the documents of a text as PyYAML's nodes, whose tags are Go's.

    Raises:
        yaml.YAMLError: it is not YAML.
        TooFar: it has a tag without a name.
    """
    import yaml

    if _BARE_TAG.search(text):
        _refuse_bare_tags(text)
    loader = _classes()[0](text)
    documents = []
    try:
        while loader.check_node():
            documents.append(loader.get_node())
    finally:
        loader.dispose()
    if not all(isinstance(one, yaml.Node) for one in documents):
        raise yaml.YAMLError("an empty document")
    return documents


def _refuse_bare_tags(text: str) -> None:
    import yaml

    for token in yaml.scan(text, Loader=_classes()[0]):
        if isinstance(token, yaml.TagToken) and "".join(part or "" for part in token.value) == "!":
            raise TooFar(f"a tag in line {token.start_mark.line + 1} has no name")


def serialize(root: Any, *, ascii_only: bool = False) -> str:
    """Return a node as text that Go and Python read alike: quotes where either needs them."""
    import yaml

    _settle(root, False, set())
    dumper = _classes()[1]
    return str(yaml.serialize(root, Dumper=dumper, width=_ENOUGH, allow_unicode=not ascii_only))


def _settle(node: Any, in_flow: bool, seen: set[int]) -> None:
    """Spell values that are not text so that libyaml need not write `! ''`, which is text to Go."""
    import yaml

    if id(node) in seen:
        return
    seen.add(id(node))
    if not isinstance(node, yaml.ScalarNode):
        for item in node.value:
            for one in item if isinstance(item, tuple) else (item,):
                _settle(one, in_flow or bool(node.flow_style), seen)
    elif node.tag in _PLAIN_TAGS:
        node.style = None
        if not node.value and in_flow:
            node.value = "null"


def node(value: Any) -> Any:
    """Return what JSON can hold as a node. Texts are what they are for every reader."""
    import yaml

    if isinstance(value, str):
        return scalar(value)
    if value is None or isinstance(value, (bool, int, float)):
        kind = "null" if value is None else type(value).__name__
        return yaml.ScalarNode(f"{TAG}{kind}", json.dumps(value))
    if isinstance(value, Mapping):
        pairs = [(scalar(key), node(item)) for key, item in value.items()]
        return yaml.MappingNode(f"{TAG}map", pairs, flow_style=False)
    return yaml.SequenceNode(f"{TAG}seq", [node(item) for item in value], flow_style=False)


def scalar(text: str) -> Any:
    """Return text as a node: plain where no reader could take it for anything else."""
    import yaml

    plain = _PLAIN.fullmatch(text) and text.lower() not in _NOT_PLAIN
    return yaml.ScalarNode(f"{TAG}str", text, style=None if plain else '"')


def value_of(node: Any) -> Any:
    """Return what Go makes of a node, for comparing: objects, lists, and (type, text) of scalars.

    Merge keys stay keys; of two equal keys the last counts, as with Go.

    Raises:
        TooFar: Go refuses the document: aliases that stand for too much or for themselves, keys
            that are not text, numbers that JSON does not have.
    """
    return _Reader().value(node)


class _Reader:
    def __init__(self) -> None:
        self._seen = 0
        self._above: set[int] = set()

    def value(self, node: Any) -> Any:
        import yaml

        self._seen += 1
        if self._seen > _LARGEST:
            raise TooFar("its aliases expand to too much data")
        if isinstance(node, yaml.ScalarNode):
            return _scalar_value(node)
        if id(node) in self._above:
            raise TooFar("an alias in it refers to itself")
        if len(self._above) > _DEEPEST:
            raise TooFar("it is nested too deeply")
        self._above.add(id(node))
        try:
            if isinstance(node, yaml.SequenceNode):
                return [self.value(item) for item in node.value]
            for key, item in node.value:
                _check_merge(key, item)
            return {self._key(key): self.value(item) for key, item in node.value}
        finally:
            self._above.discard(id(node))

    def _key(self, node: Any) -> Any:
        import yaml

        if not isinstance(node, yaml.ScalarNode) or node.tag == f"{TAG}null":
            raise TooFar(f"a key in line {node.start_mark.line + 1} is not text")
        return self.value(node)


def _check_merge(key: Any, node: Any) -> None:
    import yaml

    if key.tag == f"{TAG}merge":
        parts = node.value if isinstance(node, yaml.SequenceNode) else [node]
        if not all(isinstance(part, yaml.MappingNode) for part in parts):
            raise TooFar(f"a merge key (<<) in line {key.start_mark.line + 1} brings no object")


def _scalar_value(node: Any) -> tuple[str, str]:
    kind = node.tag[len(TAG) :] if node.tag.startswith(TAG) else node.tag
    text = str(node.value)
    if kind in _MISFITS and _MISFITS[kind](text):
        raise TooFar(f"a value in line {node.start_mark.line + 1} does not fit its tag")
    if kind == "float" and text.strip("+-").lower() in _NOT_FINITE:
        raise TooFar(f"a number in line {node.start_mark.line + 1} is not finite")
    if kind == "bool":
        return kind, "true" if text.lower() in _TRUE else "false"
    return ("null", "") if kind == "null" else (kind, text)


def _is_not(*kinds: str) -> Callable[[str], bool]:
    return lambda text: go_tag(text) not in kinds


def _is_not_base64(text: str) -> bool:
    try:
        base64.b64decode(text.replace("\n", ""), validate=True)
    except ValueError:
        return True
    return False


#: What a scalar may not be whose type was written before it, as in `!!int x`.
_MISFITS: dict[str, Callable[[str], bool]] = {
    "null": _is_not("null"),
    "bool": _is_not("bool"),
    "int": _is_not("int"),
    "float": _is_not("int", "float"),
    "timestamp": lambda text: not re.match(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}", text),
    "binary": _is_not_base64,
    "map": lambda _text: True,
    "seq": lambda _text: True,
    "set": lambda _text: True,
    "omap": lambda _text: True,
}


def _is_float(text: str) -> bool:
    return bool(_FLOAT.fullmatch(text)) and math.isfinite(float(text))


def _is_int(text: str) -> bool:
    """Return whether this is an int64 or, without a sign, a uint64 for strconv.ParseInt(..., 0)."""
    if _SIGNED_BINARY.fullmatch(text):
        return True
    found = _INT.fullmatch(text)
    if not found or len(text) > _LONGEST_NUMBER:
        return False
    digits = found[1].lower()
    prefixed = digits[:2] in ("0x", "0b", "0o")
    number = int(digits, 0 if prefixed else 8 if digits[0] == "0" else 10)
    if text[0] == "-":
        return number <= 1 << 63
    return number < 1 << (63 if text[0] == "+" else 64)


@cache
def _classes() -> tuple[Any, Any]:
    """Return a loader and a dumper of PyYAML that know Go's types."""
    import yaml

    class _GoTypes:
        def resolve(self, kind: Any, value: Any, implicit: Any) -> str:
            if kind is yaml.ScalarNode:
                # (plain, quoted): of the text as it stands, and as it would be in quotes
                return f"{TAG}{go_tag(value) if implicit[0] else 'str'}"
            return f"{TAG}seq" if kind is yaml.SequenceNode else f"{TAG}map"

        def descend_resolver(self, _node: Any, _index: Any) -> None:
            """Types here do not depend on where a scalar stands."""

        def ascend_resolver(self) -> None:
            """See `descend_resolver`."""

    # The ones in C take a fiftieth of the time; not every PyYAML has them.
    class Loader(_GoTypes, getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
        pass

    class Dumper(_GoTypes, getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
        def ignore_aliases(self, _data: Any) -> bool:
            return True

    return Loader, Dumper
