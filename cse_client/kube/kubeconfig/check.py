"""Whether kubectl reads a kubeconfig, and reads it whole, by its own rules and without kubectl.

The fields and their types are those of kubernetes/client-go:tools/clientcmd/api/v1/types.go; what a
scalar is, is Go's to say (see `goyaml`). kubectl refuses a name that is a number and two entries of
one name (api/v1/conversion.go). Two things it does not refuse, but reads only a part: several YAML
documents, of which it takes the first, and a key that occurs twice, of which it takes the last.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from cse_client.content import plain
from cse_client.kube.kubeconfig.goyaml import TAG, TooFar, compose, value_of

__all__ = ["Damaged", "read_checked"]


class Damaged(ValueError):
    """The text is not a kubeconfig that kubectl reads whole; says why without showing any of it."""


_TEXT, _FLAG, _DATA = "text", "true or false", "base64"
_NAMES = {"str": "text", "bool": "true or false", "int": "a number", "float": "a number"}
_EXTENSIONS = [{"name": _TEXT}]
_CLUSTER = {
    "server": _TEXT,
    "tls-server-name": _TEXT,
    "insecure-skip-tls-verify": _FLAG,
    "certificate-authority": _TEXT,
    "certificate-authority-data": _DATA,
    "proxy-url": _TEXT,
    "disable-compression": _FLAG,
    "extensions": _EXTENSIONS,
}
_EXEC = {
    "command": _TEXT,
    "args": [_TEXT],
    "env": [{"name": _TEXT, "value": _TEXT}],
    "apiVersion": _TEXT,
    "installHint": _TEXT,
    "provideClusterInfo": _FLAG,
    "interactiveMode": _TEXT,
}
_USER = {
    "client-certificate": _TEXT,
    "client-certificate-data": _DATA,
    "client-key": _TEXT,
    "client-key-data": _DATA,
    "token": _TEXT,
    "tokenFile": _TEXT,
    "as": _TEXT,
    "as-uid": _TEXT,
    "as-groups": [_TEXT],
    "as-user-extra": {"": [_TEXT]},
    "username": _TEXT,
    "password": _TEXT,
    "auth-provider": {"name": _TEXT, "config": {"": _TEXT}},
    "exec": _EXEC,
    "extensions": _EXTENSIONS,
}
_CONTEXT = {"cluster": _TEXT, "user": _TEXT, "namespace": _TEXT, "extensions": _EXTENSIONS}
#: A dictionary is an object, whose key "" stands for all others; a list of one is a list of such.
_CONFIG: dict[str, Any] = {
    "kind": _TEXT,
    "apiVersion": _TEXT,
    "preferences": {"colors": _FLAG, "extensions": _EXTENSIONS},
    "clusters": [{"name": _TEXT, "cluster": _CLUSTER}],
    "users": [{"name": _TEXT, "user": _USER}],
    "contexts": [{"name": _TEXT, "context": _CONTEXT}],
    "current-context": _TEXT,
    "extensions": _EXTENSIONS,
}
_LONGEST_SHOWN = 60
_KIND = {"kind": "Config", "apiVersion": "v1"}
_DIRECTIVE = re.compile(r"\ufeff?(?:[ \t]*(?:#[^\n]*)?\r?\n)*%YAML[ \t]+(\S+)")
_MERGE = f"{TAG}merge"


def read_checked(text: str) -> Any:
    """Return the one document of a kubeconfig as a node; None of an empty text.

    Raises:
        Damaged: kubectl refuses the text, or reads less than stands in it.
    """
    root = _one_document(text)
    if root is None or root.tag == f"{TAG}null":
        return None
    try:
        value_of(root)
    except TooFar as error:
        raise Damaged(str(error)) from None
    for key in _repeated(root):
        line = key.start_mark.line + 1
        raise Damaged(
            f"the key {_shown(key.value)} occurs twice, again in line {line}, and kubectl reads the"
            " last only"
        )
    for where, problem in _mismatches(root, _CONFIG, ""):
        raise Damaged(f"{where} {problem}" if where else "it is not a kubeconfig")
    for key, value in root.value:
        wanted = _KIND.get(key.value)
        if wanted and value.value not in ("", wanted) and value.tag != f"{TAG}null":
            raise Damaged(f"its {key.value} is not {wanted}")
    return root


def _one_document(text: str) -> Any:
    import yaml

    directive = _DIRECTIVE.match(text)
    if directive and directive[1] != "1.1":
        raise Damaged("it says %YAML with a version that kubectl does not read")
    try:
        documents = compose(text)
    except yaml.MarkedYAMLError as error:
        line = f" in line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise Damaged(f"it is not YAML{line}") from None
    except TooFar as error:
        raise Damaged(str(error)) from None
    except (yaml.YAMLError, RecursionError, ValueError):
        raise Damaged("it is not YAML") from None
    if len(documents) > 1:
        raise Damaged("it holds several YAML documents, of which kubectl reads the first only")
    return documents[0] if documents else None


def _nodes(node: Any, seen: set[int]) -> Iterator[Any]:
    """Yield every mapping once, however often aliases repeat it."""
    import yaml

    if id(node) in seen or isinstance(node, yaml.ScalarNode):
        return
    seen.add(id(node))
    if isinstance(node, yaml.MappingNode):
        yield node
    for item in node.value:
        for one in item if isinstance(item, tuple) else (item,):
            yield from _nodes(one, seen)


def _repeated(root: Any) -> Iterator[Any]:
    """Yield keys that the same object has already."""
    for mapping in _nodes(root, set()):
        seen = set()
        for key, _value in mapping.value:
            if key.value in seen:
                yield key
            seen.add(key.value)


def _mismatches(node: Any, wanted: Any, where: str) -> Iterator[tuple[str, str]]:
    """Yield where and how a value differs from what kubectl reads there; null fits everything."""
    import yaml

    if node.tag == f"{TAG}null":
        return
    if isinstance(wanted, str):
        problem = _scalar_problem(node, wanted)
        if problem:
            yield where, problem
    elif isinstance(wanted, list):
        if not isinstance(node, yaml.SequenceNode):
            yield where, "is not a list"
            return
        for number, item in enumerate(node.value):
            yield from _mismatches(item, wanted[0], f"{where}[{number}]")
        if isinstance(wanted[0], dict) and "name" in wanted[0]:
            yield from _same_names(node, where)
    elif not isinstance(node, yaml.MappingNode):
        yield where, "is not an object"
    else:
        for key, value in node.value:
            if key.tag == _MERGE:
                yield from _merge_problem(value, where)
            below = wanted.get(key.value, wanted.get(""))
            if below is not None:
                name = key.value if key.value in wanted else "*"
                yield from _mismatches(value, below, f"{where}.{name}" if where else name)


def _merge_problem(node: Any, where: str) -> Iterator[tuple[str, str]]:
    """Refuse `<<` where this client has to find its way: it would not see what it brings."""
    if where.count(".") < 2:  # noqa: PLR2004 - down to `contexts[0].context`
        yield where or "the top", f"has a merge key (<<), in line {node.start_mark.line + 1}"


def _scalar_problem(node: Any, wanted: str) -> str:
    import yaml

    if not isinstance(node, yaml.ScalarNode):
        return f"is not {wanted}"
    kind = node.tag[len(TAG) :] if node.tag.startswith(TAG) else "str"
    if wanted == _FLAG:
        return "" if kind == "bool" else f"is not {wanted}"
    found = _NAMES.get(kind, "text")
    if found != _TEXT:
        return f"is {found} for kubectl, not text: it needs quotes"
    return "" if wanted == _TEXT or _is_base64(node.value) else "is not base64"


def _is_base64(text: str) -> bool:
    try:
        base64.b64decode(re.sub(r"[\r\n]", "", text), validate=True)
    except (binascii.Error, ValueError):
        return False
    return True


def _same_names(sequence: Any, where: str) -> Iterator[tuple[str, str]]:
    import yaml

    found = Counter(
        value.value
        for item in sequence.value
        if isinstance(item, yaml.MappingNode)
        for key, value in item.value
        if key.value == "name" and isinstance(value, yaml.ScalarNode)
    )
    if where.endswith(".env"):  # the one list whose names may repeat
        return
    for name, count in found.items():
        if count > 1:
            yield where, f"hold two entries named {_shown(name)}, which kubectl refuses"


def _shown(name: str) -> str:
    """Return a name for a message: short, and without what a terminal would obey."""
    return f"'{plain(name, _LONGEST_SHOWN)}'"
