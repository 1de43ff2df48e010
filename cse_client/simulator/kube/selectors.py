"""Label and field selectors, as queries spell them and as objects hold them.

Grammar: kubernetes:staging/src/k8s.io/apimachinery/pkg/labels/selector.go and
.../pkg/fields/selector.go.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from cse_client.simulator.kube.errors import bad_request
from cse_client.simulator.kube.objects import Obj, dig

__all__ = ["VALUE_RULE", "field_selector", "label_selector", "matches_selector", "selector_text"]

Match = Callable[[Obj], bool]

_SET = re.compile(r"^(\S+)\s+(in|notin)\s*\(([^()]*)\)$")
_PAIR = re.compile(r"^([^\s=!<>]+)\s*(==|=|!=|>|<)\s*([^\s=!<>]*)$")
_NAME = re.compile(r"^([A-Za-z0-9.-]+/)?[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$")


#: The rule for a label's value, as messages have it.
VALUE_RULE = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or "
    "'.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value', "
    " or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)
# What may be selected on besides metadata.name and metadata.namespace, by (group, resource):
# kubernetes:pkg/apis/core/v1/conversion.go and the strategies of the other groups.
_FIELDS: dict[tuple[str, str], tuple[str, ...]] = {
    ("", "pods"): (
        "spec.nodeName",
        "spec.restartPolicy",
        "spec.schedulerName",
        "spec.serviceAccountName",
        "spec.hostNetwork",
        "status.phase",
        "status.podIP",
        "status.nominatedNodeName",
    ),
    ("", "nodes"): ("spec.unschedulable",),
    ("", "namespaces"): ("status.phase",),
    ("", "secrets"): ("type",),
    ("", "services"): ("spec.clusterIP", "spec.type"),
    ("", "events"): (
        "involvedObject.kind",
        "involvedObject.namespace",
        "involvedObject.name",
        "involvedObject.uid",
        "involvedObject.apiVersion",
        "involvedObject.resourceVersion",
        "involvedObject.fieldPath",
        "reason",
        "reportingComponent",
        "source",
        "type",
    ),
    ("apps", "replicasets"): ("status.replicas",),
    ("batch", "jobs"): ("status.successful",),
    ("certificates.k8s.io", "certificatesigningrequests"): ("spec.signerName",),
}
_FIELD = re.compile(r"^([A-Za-z0-9.]+)\s*(==|=|!=)\s*(.*)$")


def _terms(text: str) -> list[str]:
    terms, depth, start = [], 0, 0
    for index, letter in enumerate(text):
        if letter == "(":
            depth += 1
        elif letter == ")":
            depth -= 1
        elif letter == "," and depth == 0:
            terms.append(text[start:index].strip())
            start = index + 1
    terms.append(text[start:].strip())
    return terms


def _number(text: str | None) -> int | None:
    try:
        return int(text or "")
    except ValueError:
        return None


def _requirement(term: str) -> tuple[str, str, tuple[str, ...]]:
    found = _SET.match(term)
    if found:
        values = tuple(value.strip() for value in found[3].split(","))
        return found[1], found[2], values
    found = _PAIR.match(term)
    if found:
        operator = {"==": "in", "=": "in", "!=": "notin"}.get(found[2], found[2])
        return found[1], operator, (found[3],)
    if term.startswith("!"):
        return term[1:].strip(), "!", ()
    return term, "exists", ()


def _holds(labels: Mapping[str, Any], key: str, operator: str, values: Sequence[str]) -> bool:
    value = labels.get(key)
    if operator == "in":
        return key in labels and value in values
    if operator == "notin":
        return key not in labels or value not in values
    if operator == "exists":
        return key in labels
    if operator == "!":
        return key not in labels
    left, right = _number(value), _number(values[0])
    if left is None or right is None:
        return False
    return left > right if operator == ">" else left < right


def label_selector(text: str) -> Match | None:
    """Return a test for objects, or None when the selector is empty and so takes all of them.

    Raises ApiError 400 for what is not a selector.
    """
    if not text.strip():
        return None
    requirements = [_requirement(term) for term in _terms(text)]
    for key, operator, values in requirements:
        for index, value in enumerate(values):
            if value and _NAME.match(key) and not _NAME.match(value):
                raise bad_request(
                    f"unable to parse requirement: values[{index}][{key}]: Invalid value: "
                    f'"{value}": {VALUE_RULE}'
                )
        if not _NAME.match(key) or any(value and not _NAME.match(value) for value in values):
            raise bad_request(
                f"unable to parse requirement: invalid label key or value in {text!r}"
            )
        if operator in "<>" and _number(values[0]) is None:
            raise bad_request(f"unable to parse requirement: {text!r} compares no number")

    def match(obj: Obj) -> bool:
        labels = obj["metadata"].get("labels") or {}
        return all(_holds(labels, *requirement) for requirement in requirements)

    return match


def field_selector(text: str, group: str, plural: str) -> Match | None:
    """Return a test for objects of that resource, or None when the selector is empty.

    Raises ApiError 400 for a field that the resource cannot be selected on.
    """
    if not text.strip():
        return None
    known = ("metadata.name", "metadata.namespace", *_FIELDS.get((group, plural), ()))
    wanted = []
    for term in text.split(","):
        found = _FIELD.match(term.strip())
        if not found:
            raise bad_request(f"invalid selector: '{text}'; can't understand '{term}'")
        if found[1] not in known:
            if (group, plural) in _FIELDS:
                raise bad_request(f"field label not supported: {found[1]}")
            listed = ", ".join(f'"{name}"' for name in known)
            raise bad_request(f'"{found[1]}" is not a known field selector: only {listed}')
        wanted.append((tuple(found[1].split(".")), found[2] != "!=", found[3]))

    def match(obj: Obj) -> bool:
        return all((_text(dig(obj, *path)) == value) is same for path, same, value in wanted)

    return match


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def matches_selector(selector: Mapping[str, Any] | None, labels: Mapping[str, Any] | None) -> bool:
    """Whether labels satisfy a LabelSelector object; an empty one takes all, a missing one none."""
    if selector is None:
        return False
    labels = labels or {}
    if any(labels.get(key) != value for key, value in (selector.get("matchLabels") or {}).items()):
        return False
    operators = {"In": "in", "NotIn": "notin", "Exists": "exists", "DoesNotExist": "!"}
    return all(
        _holds(labels, term["key"], operators[term["operator"]], term.get("values") or ())
        for term in selector.get("matchExpressions") or ()
    )


def selector_text(selector: Mapping[str, Any] | None) -> str:
    """Return a LabelSelector object as kubectl's columns spell it."""
    if not selector:
        return "<none>"
    terms = [f"{key}={value}" for key, value in sorted((selector.get("matchLabels") or {}).items())]
    for term in selector.get("matchExpressions") or ():
        values = ",".join(term.get("values") or ())
        terms.append(
            {"Exists": term["key"], "DoesNotExist": "!" + term["key"]}.get(
                term["operator"], f"{term['key']} {term['operator'].lower()} ({values})"
            )
        )
    return ",".join(terms) or "<none>"
