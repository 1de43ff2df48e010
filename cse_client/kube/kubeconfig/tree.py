"""A kubeconfig as a tree of YAML nodes, which can be written again without changing it.

Form: kubernetes/client-go:tools/clientcmd/api/v1/types.go. Go reads YAML by other rules than
Python, so scalars are carried as they are spelled and never turned into values.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cse_client.kube.kubeconfig.mark import EXTENSION, Mark

__all__ = [
    "SECTIONS",
    "Damaged",
    "Entry",
    "Root",
    "current_context",
    "dump",
    "empty",
    "entry",
    "mark_of",
    "names",
    "only_entry",
    "only_name",
    "parse",
    "put",
    "remove_marked",
    "set_current_context",
    "user_of",
]

#: A YAML mapping node; PyYAML's own types stay inside the functions that import it.
Root = Any
Entry = Any

SECTIONS = ("clusters", "users", "contexts")
_BODIES = {"clusters": "cluster", "users": "user", "contexts": "context"}
_STR = "tag:yaml.org,2002:str"
_MAP = "tag:yaml.org,2002:map"
_SEQ = "tag:yaml.org,2002:seq"
_NULL = "tag:yaml.org,2002:null"
_ENOUGH = 1 << 20


class Damaged(ValueError):
    """The text is no kubeconfig; says why without showing any of it."""


def parse(text: str) -> Root:
    """Return the tree of a kubeconfig. Raises Damaged."""
    import yaml

    try:
        root = _compose(text)
    except yaml.MarkedYAMLError as error:
        line = f" in line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise Damaged(f"no YAML{line}") from None
    except (yaml.YAMLError, RecursionError, ValueError):
        raise Damaged("no YAML") from None
    if root is None or root.tag == _NULL:
        return empty()
    if not isinstance(root, yaml.MappingNode):
        raise Damaged("no kubeconfig")
    for key, wanted in (("kind", "Config"), ("apiVersion", "v1")):
        value = _get(root, key)
        if value is not None and _text(value) not in ("", wanted):
            raise Damaged(f"its {key} is not {wanted}")
    for section in SECTIONS:
        _check_section(_get(root, section), section)
    current = _get(root, "current-context")
    if current is not None and not isinstance(current, yaml.ScalarNode):
        raise Damaged("its current-context is no name")
    return root


def empty() -> Root:
    """Return a kubeconfig without entries."""
    import yaml

    pairs = [(_scalar("apiVersion"), _scalar("v1")), (_scalar("kind"), _scalar("Config"))]
    return yaml.MappingNode(_MAP, pairs, flow_style=False)


def dump(root: Root) -> str:
    """Return the tree as text. Raises CseError when it would not be read back the same."""
    import yaml

    from cse_client.errors import CseError

    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    text = str(yaml.serialize(root, Dumper=dumper, width=_ENOUGH, allow_unicode=True))
    if _shape(_compose(text)) != _shape(root):
        raise CseError("The kubeconfig holds something that cannot be written again unchanged.")
    return text


def current_context(root: Root) -> str:
    """Return the current context's name, or an empty string."""
    node = _get(root, "current-context")
    return "" if node is None else _text(node)


def set_current_context(root: Root, name: str) -> None:
    """Name the current context; an empty name means none."""
    _set(root, "current-context", _scalar(name))


def names(root: Root, section: str) -> list[str]:
    """Return the names of a section's entries."""
    return [_name(item) for item in _items(root, section)]


def entry(root: Root | None, section: str, name: str) -> Entry | None:
    """Return an entry by its name, or None."""
    if root is None:
        return None
    return next((item for item in _items(root, section) if _name(item) == name), None)


def only_entry(root: Root, section: str) -> Entry:
    """Return the one entry that a kubeconfig of ours has in a section."""
    (item,) = _items(root, section)
    return item


def only_name(root: Root, section: str) -> str:
    """Return the name of that entry."""
    return _name(only_entry(root, section))


def put(root: Root, section: str, item: Entry) -> None:
    """Replace the entry of the same name where it stands, or add the entry at the end."""
    import yaml

    sequence = _get(root, section)
    if sequence is None or sequence.tag == _NULL:
        sequence = yaml.SequenceNode(_SEQ, [], flow_style=False)
        _set(root, section, sequence)
    if not sequence.value:
        sequence.flow_style = False  # `clusters: []`
    items = sequence.value
    for number, old in enumerate(items):
        if _name(old) == _name(item):
            items[number] = item
            return
    items.append(item)


def remove_marked(root: Root, mark: Mark) -> bool:
    """Remove every entry of a cluster, and a current context that goes; tell if there was one."""
    gone: list[tuple[str, str]] = []
    for section in SECTIONS:
        sequence = _get(root, section)
        kept = []
        for item in _items(root, section):
            theirs = mark_of(item)
            if theirs is not None and mark.matches(theirs):
                gone.append((section, _name(item)))
            else:
                kept.append(item)
        if len(kept) != len(_items(root, section)):
            sequence.value[:] = kept
    if ("contexts", current_context(root)) in gone:
        set_current_context(root, "")
    return bool(gone)


def mark_of(item: Entry) -> Mark | None:
    """Return the mark that this client put on an entry, or None."""
    import yaml

    for key, body in item.value:
        if _text(key) in _BODIES.values() and isinstance(body, yaml.MappingNode):
            extensions = _get(body, "extensions")
            for extension in _sequence(extensions):
                inside = _get(extension, "extension")
                if _name(extension) == EXTENSION and isinstance(inside, yaml.MappingNode):
                    return Mark(_text(_get(inside, "cluster-id")), _text(_get(inside, "name")))
    return None


def user_of(context: Entry) -> str:
    """Return the user that a context names."""
    body = _get(context, "context")
    return _text(_get(body, "user"))


def _compose(text: str) -> Any:
    import yaml

    # The one in C takes a fiftieth of the time; not every PyYAML has it.
    return yaml.compose(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def _check_section(sequence: Any, section: str) -> None:
    import yaml

    if sequence is None or sequence.tag == _NULL:
        return
    if not isinstance(sequence, yaml.SequenceNode):
        raise Damaged(f"its {section} are no list")
    for item in sequence.value:
        body = _get(item, _BODIES[section])
        if not isinstance(item, yaml.MappingNode) or not isinstance(
            _get(item, "name"), yaml.ScalarNode
        ):
            raise Damaged(f"its {section} hold an entry without a name")
        if body is not None and body.tag != _NULL and not isinstance(body, yaml.MappingNode):
            raise Damaged(f"its {section} hold an entry without content")


def _items(root: Root, section: str) -> list[Any]:
    return _sequence(_get(root, section))


def _sequence(node: Any) -> list[Any]:
    import yaml

    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


def _get(mapping: Any, key: str) -> Any:
    import yaml

    if not isinstance(mapping, yaml.MappingNode):
        return None
    return next((value for name, value in mapping.value if _text(name) == key), None)


def _set(mapping: Any, key: str, node: Any) -> None:
    for number, (name, _old) in enumerate(mapping.value):
        if _text(name) == key:
            mapping.value[number] = (name, node)
            return
    mapping.value.append((_scalar(key), node))


def _name(item: Any) -> str:
    return _text(_get(item, "name"))


def _text(node: Any) -> str:
    import yaml

    if not isinstance(node, yaml.ScalarNode) or node.tag == _NULL:
        return ""
    return str(node.value)


def _scalar(text: str) -> Any:
    import yaml

    # An empty plain scalar would be null; one that looks like a number gets quotes on writing.
    return yaml.ScalarNode(_STR, text, style=None if text else '"')


def _shape(node: Any, above: tuple[int, ...] = ()) -> Any:
    """Return what a tree says, without how it is spelled."""
    return list(_walk(node, above))


def _walk(node: Any, above: tuple[int, ...]) -> Iterator[Any]:
    import yaml

    if id(node) in above:  # an alias to something around it, which no kubeconfig has
        yield "cycle"
    elif isinstance(node, yaml.ScalarNode):
        yield node.tag, node.value
    elif isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield _shape(key, (*above, id(node))), _shape(value, (*above, id(node)))
    elif node is not None:
        yield [_shape(item, (*above, id(node))) for item in node.value]
