"""What `kubectl get` prints: name, json, yaml, a little jsonpath, plain columns."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import yaml

from cse_client.simulator.guest.kubectl.session import Failure

if TYPE_CHECKING:
    from cse_client.simulator.guest.kubectl.resources import Kind
    from cse_client.simulator.guest.kubectl.session import Session

__all__ = ["jsonpath", "show"]


def show(session: Session, kind: Kind, found: dict[str, Any], *, single: bool) -> None:
    """Print one object or a list."""
    form = session.words.get("output")
    out = session.call.out
    items = [found] if single else found.get("items") or []
    if form == "json":
        out(json.dumps(found, indent=4))
    elif form == "yaml":
        out(yaml.safe_dump(found, sort_keys=True), end="")
    elif form == "name":
        group = kind.api_version.rpartition("/")[0]
        label = kind.plural[:-1] + (f".{group}" if group else "")
        for item in items:
            out(f"{label}/{item['metadata']['name']}")
    elif form.startswith("jsonpath="):
        out(jsonpath(form.partition("=")[2], found), end="")
    elif form in ("", "wide"):
        if not items:
            session.call.err(f"No resources found in {session.namespace} namespace.")
            return
        if not session.words.on("no-headers"):
            out("NAME" + (" " * 20) + "STATUS")
        for item in items:
            out(f"{item['metadata']['name']:<24}{_state(item)}")
    else:
        raise Failure(f'error: unable to match a printer suitable for the output format "{form}"')


def _state(item: dict[str, Any]) -> str:
    status = item.get("status") or {}
    for condition in status.get("conditions") or []:
        if condition.get("type") == "Ready":
            return "Ready" if condition.get("status") == "True" else "NotReady"
    return str(status.get("phase") or "")


def jsonpath(template: str, document: Any) -> str:
    """Fill in a template of literals, {.a.b[0].c}, {.items[*].x} and {"text"}.

    Raises:
        Failure: for what is not supported here (filters, ranges).
    """
    text = template.strip("'")
    if "{" not in text:
        text = "{" + text + "}"
    parts = []
    for literal, expression in re.findall(r"([^{]*)(?:\{([^}]*)\})?", text):
        parts.append(literal)
        if not expression:
            continue
        if expression.startswith('"'):
            parts.append(expression.strip('"').encode().decode("unicode_escape"))
            continue
        parts.append(" ".join(_text(value) for value in _walk(document, expression)))
    return "".join(parts)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else json.dumps(value)


def _walk(document: Any, expression: str) -> list[Any]:
    if "?(" in expression and not re.search(r'\[\?\(@\.\w+=="[^"]*"\)\]', expression):
        raise Failure(f"error: unrecognized jsonpath: {expression}")
    values = [document]
    pattern = r'\[\?\(@\.(\w+)=="([^"]*)"\)\]|\[(\*|\d+)\]|\.((?:\\.|[\w/-])+)'
    for key, wanted, index, name in re.findall(pattern, expression):
        if key:
            values = [
                entry
                for value in values
                for entry in (value if isinstance(value, list) else [])
                if entry.get(key) == wanted
            ]
        elif index == "*":
            values = [entry for value in values for entry in value or []]
        elif index:
            values = [value[int(index)] for value in values if len(value) > int(index)]
        else:
            plain = name.replace("\\.", ".")
            values = [
                value[plain] for value in values if isinstance(value, dict) and plain in value
            ]
    return values
