"""A kubeconfig as a tree of YAML nodes, which can be written again without changing it.

Scalars are carried as they are spelled and never turned into values, and what a plain one means is
Go's to say (see `goyaml`).
"""

from __future__ import annotations

from typing import Any

from cse_client.kube.kubeconfig.check import Damaged, read_checked
from cse_client.kube.kubeconfig.goyaml import TAG, scalar, serialize, value_of
from cse_client.kube.kubeconfig.mark import EXTENSION, Mark

__all__ = [
    "SECTIONS",
    "Damaged",
    "Entry",
    "Root",
    "ca_of",
    "current_context",
    "dump",
    "empty",
    "entries",
    "entry",
    "is_same",
    "mark_of",
    "name_of",
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
_MAP = f"{TAG}map"
_SEQ = f"{TAG}seq"
_NULL = f"{TAG}null"


def parse(text: str) -> Root:
    """Return the tree of a kubeconfig.

    Raises:
        Damaged: it is not a kubeconfig that kubectl would read.
    """
    root = read_checked(text)
    if root is None:
        return empty()
    for section in SECTIONS:
        for number, item in enumerate(_items(root, section)):
            if not _name(item):
                raise Damaged(f"{section}[{number}] has no name")
    if _is_shared(root):
        raise Damaged("an alias (*) stands for one of its lists or entries")
    return root


def empty() -> Root:
    """Return a kubeconfig without entries."""
    import yaml

    pairs = [(scalar("apiVersion"), scalar("v1")), (scalar("kind"), scalar("Config"))]
    return yaml.MappingNode(_MAP, pairs, flow_style=False)


def dump(root: Root) -> str:
    """Return the tree as text.

    Raises:
        CseError: kubectl would not read the same back.
    """
    from cse_client.errors import CseError

    text = serialize(root)
    try:
        again = parse(text)
    except Damaged as damage:
        raise CseError(f"The kubeconfig cannot be written for kubectl: {damage}.") from None
    if value_of(again) != value_of(root):
        raise CseError("The kubeconfig holds something that cannot be written again unchanged.")
    return text


def current_context(root: Root) -> str:
    """Return the current context's name, or an empty string."""
    node = _get(root, "current-context")
    return "" if node is None else _text(node)


def set_current_context(root: Root, name: str) -> None:
    """Name the current context; an empty name means none."""
    _set(root, "current-context", scalar(name))


def names(root: Root, section: str) -> list[str]:
    """Return the names of a section's entries."""
    return [_name(item) for item in _items(root, section)]


def entries(root: Root, section: str) -> list[Entry]:
    """Return a section's entries."""
    return _items(root, section)


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


def is_same(one: Entry, other: Entry) -> bool:
    """Return whether kubectl reads the same of two entries."""
    return bool(value_of(one) == value_of(other))


def put(root: Root, section: str, item: Entry) -> None:
    """Replace the entry of the same name in its position, or add the entry at the end."""
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
    """Remove every entry of a cluster and its current context; return whether there was one."""
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
                    return Mark.read({_text(key): _text(value) for key, value in inside.value})
    return None


def ca_of(cluster: Entry) -> str:
    """Return a cluster's CA as it is spelled in base64; empty where it is elsewhere, or missing."""
    return _text(_get(_get(cluster, "cluster"), "certificate-authority-data"))


def server_of(cluster: Entry) -> str:
    """Return the address of a cluster's API."""
    return _text(_get(_get(cluster, "cluster"), "server"))


def name_of(item: Entry) -> str:
    """Return an entry's name."""
    return _name(item)


def user_of(context: Entry) -> str:
    """Return the user that a context names."""
    body = _get(context, "context")
    return _text(_get(body, "user"))


def _is_shared(root: Root) -> bool:
    """Return whether a change of one list or entry would change another, too."""
    parts = [_get(root, section) for section in SECTIONS]
    parts += [item for section in SECTIONS for item in _items(root, section)]
    found = [id(part) for part in parts if part is not None]
    return len(found) != len(set(found))


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
    mapping.value.append((scalar(key), node))


def _name(item: Any) -> str:
    return _text(_get(item, "name"))


def _text(node: Any) -> str:
    import yaml

    if not isinstance(node, yaml.ScalarNode) or node.tag == _NULL:
        return ""
    return str(node.value)
