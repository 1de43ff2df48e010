"""kubectl's verbs."""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import yaml

from cse_client.simulator.guest.kubectl.drain import cordon, drain, uncordon
from cse_client.simulator.guest.kubectl.output import show
from cse_client.simulator.guest.kubectl.resources import (
    Kind,
    find_by_kind,
    find_by_word,
    path_of,
)
from cse_client.simulator.guest.kubectl.session import Failure

if TYPE_CHECKING:
    from cse_client.simulator.guest.kubectl.session import Session

__all__ = ["VERBS"]

_CREATED, _CONFLICT, _NOT_FOUND = 201, 409, 404
_STRATEGIC = "application/strategic-merge-patch+json"
_PATCHES = {
    "strategic": _STRATEGIC,
    "merge": "application/merge-patch+json",
    "json": "application/json-patch+json",
}
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _documents(session: Session) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for text in session.input_text():
        try:
            loaded = list(yaml.load_all(text, Loader=_LOADER))  # a safe loader
        except yaml.YAMLError as error:
            raise Failure(
                f"error: error parsing -: error converting YAML to JSON: {error}"
            ) from error
        for document in loaded:
            if not document:
                continue
            if not isinstance(document, dict) or "kind" not in document:
                raise Failure("error: unable to decode \"-\": Object 'Kind' is missing")
            found += document["items"] if document["kind"] == "List" else [document]
    if not found:
        raise Failure("error: no objects passed to apply")
    return found


def _place(session: Session, document: dict[str, Any]) -> tuple[Kind, str, str]:
    kind = find_by_kind(session, document)
    meta = document.get("metadata") or {}
    namespace = meta.get("namespace") or session.namespace
    return kind, namespace, str(meta.get("name") or "")


def _label(document: dict[str, Any]) -> str:
    group = str(document["apiVersion"]).rpartition("/")[0]
    return f"{document['kind'].lower()}{'.' + group if group else ''}"


def _apply(session: Session, words: list[str]) -> int:
    server_side = session.words.on("server-side")
    for document in _documents(session):
        kind, namespace, name = _place(session, document)
        if server_side:
            manager = session.words.get("field-manager", "kubectl")
            force = "true" if session.words.on("force-conflicts") else "false"
            session.ask(
                "PATCH",
                f"{path_of(kind, namespace, name)}?fieldManager={manager}&force={force}",
                document,
                "application/apply-patch+yaml",
            )
            session.call.out(f"{_label(document)}/{name} serverside-applied")
            continue
        status, old = session.client.request("GET", path_of(kind, namespace, name))
        if status == _NOT_FOUND:
            session.ask("POST", path_of(kind, namespace), document)
            session.call.out(f"{_label(document)}/{name} created")
            continue
        if status >= 400:  # noqa: PLR2004
            raise Failure(session.explain(status, old))
        new = session.ask("PATCH", path_of(kind, namespace, name), document, _PATCHES["merge"])
        same = new["metadata"].get("resourceVersion") == old["metadata"].get("resourceVersion")
        session.call.out(f"{_label(document)}/{name} {'unchanged' if same else 'configured'}")
    return 0


def _create(session: Session, words: list[str]) -> int:
    documents = [_composed(session, words)] if words else _documents(session)
    for document in documents:
        kind, namespace, name = _place(session, document)
        if any(word in session.words.options for word in ("dry-run",)):
            session.call.out(yaml.safe_dump(document), end="")
            continue
        session.ask("POST", path_of(kind, namespace), document)
        session.call.out(f"{_label(document)}/{name} created")
    return 0


def _composed(session: Session, words: list[str]) -> dict[str, Any]:
    """Return the object of `kubectl create KIND NAME ...`."""
    what, name = words[0], words[-1]
    options = session.words.options
    meta = {"name": name}
    literals = dict(value.split("=", 1) for value in options.get("from-literal", []))
    for value in options.get("from-file", []):
        key, _, path = value.rpartition("=")
        literals[key or path.rsplit("/", 1)[-1]] = session.system.disk.text(path)
    if what in ("namespace", "ns"):
        return {"apiVersion": "v1", "kind": "Namespace", "metadata": meta}
    if what in ("configmap", "cm"):
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": literals}
    if what == "secret":
        data = {key: base64.b64encode(value.encode()).decode() for key, value in literals.items()}
        return {"apiVersion": "v1", "kind": "Secret", "metadata": meta, "data": data}
    if what in ("serviceaccount", "sa"):
        return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta}
    if what in ("clusterrolebinding", "rolebinding"):
        api = "rbac.authorization.k8s.io"
        subjects = [
            {"apiGroup": api, "kind": kind, "name": value}
            for kind, option in (("Group", "group"), ("User", "user"))
            for value in options.get(option, [])
        ]
        role = "ClusterRole" if "clusterrole" in options else "Role"
        return {
            "apiVersion": f"{api}/v1",
            "kind": "ClusterRoleBinding" if what.startswith("cluster") else "RoleBinding",
            "metadata": meta,
            "roleRef": {
                "apiGroup": api,
                "kind": role,
                "name": session.words.get("clusterrole") or session.words.get("role"),
            },
            "subjects": subjects,
        }
    raise Failure(f"error: kubectl create {what}: not simulated")


def _targets(session: Session, words: list[str]) -> list[tuple[Kind, str]]:
    """Return (kind, name) pairs of `KIND NAME...`, `KIND/NAME...` or `KIND` (name "")."""
    if not words:
        if session.words.options.get("filename"):
            return [
                (kind, name)
                for kind, _, name in (_place(session, one) for one in _documents(session))
            ]
        raise Failure("error: You must specify the type of resource")
    if "/" in words[0]:
        pairs = [word.partition("/") for word in words]
        return [(find_by_word(session, kind), name) for kind, _, name in pairs]
    kinds = [find_by_word(session, word) for word in words[0].split(",")]
    return [(kind, name) for kind in kinds for name in (words[1:] or [""])]


def _query(session: Session) -> str:
    parts = []
    for option, key in (("selector", "labelSelector"), ("field-selector", "fieldSelector")):
        if session.words.get(option):
            parts.append(f"{key}={quote(session.words.get(option), safe='')}")
    return "?" + "&".join(parts) if parts else ""


def _get(session: Session, words: list[str]) -> int:
    if session.words.get("raw"):
        session.call.out(json.dumps(session.ask("GET", session.words.get("raw"))))
        return 0
    namespace = "" if session.words.on("all-namespaces") else session.namespace
    for kind, name in _targets(session, words):
        status, found = session.client.request(
            "GET", path_of(kind, namespace, name) + ("" if name else _query(session))
        )
        if status == _NOT_FOUND and session.words.on("ignore-not-found"):
            continue
        if status >= 400:  # noqa: PLR2004
            raise Failure(session.explain(status, found))
        show(session, kind, found, single=bool(name))
    return 0


def _delete(session: Session, words: list[str]) -> int:
    code = 0
    targets = _targets(session, words)
    if targets and not targets[0][1]:
        query = _query(session)
        if not query and not session.words.on("all"):
            raise Failure("error: resource(s) were provided, but no name was specified")
        kind = targets[0][0]
        found = session.ask("GET", path_of(kind, session.namespace) + query)
        targets = [(kind, item["metadata"]["name"]) for item in found.get("items") or []]
    for kind, name in targets:
        status, found = session.client.request("DELETE", path_of(kind, session.namespace, name))
        if status == _NOT_FOUND and session.words.on("ignore-not-found"):
            continue
        if status >= 400:  # noqa: PLR2004
            session.call.err(session.explain(status, found))
            code = 1
            continue
        session.call.out(f'{kind.plural.rstrip("s")} "{name}" deleted')
    return code


def _patch(session: Session, words: list[str]) -> int:
    try:
        body = yaml.safe_load(session.words.get("patch"))
    except yaml.YAMLError as error:
        raise Failure(f"error: unable to parse patch: {error}") from error
    content = _PATCHES.get(session.words.get("type", "strategic"), _STRATEGIC)
    part = session.words.get("subresource")
    for kind, name in _targets(session, words):
        path = path_of(kind, session.namespace, name) + (f"/{part}" if part else "")
        session.ask("PATCH", path, body, content)
        session.call.out(f"{kind.plural.rstrip('s')}/{name} patched")
    return 0


def _mark(session: Session, words: list[str], field: str, done: str) -> int:
    """`annotate` and `label`: KIND NAME KEY=VALUE KEY- ..."""
    changes = [word for word in words if "=" in word or word.endswith("-")]
    plain = [word for word in words if word not in changes]
    values: dict[str, str | None] = {}
    for word in changes:
        key, equals, value = word.partition("=")
        values[key if equals else key[:-1]] = value if equals else None
    for kind, name in _targets(session, plain):
        path = path_of(kind, session.namespace, name)
        old = (session.ask("GET", path)["metadata"]).get(field) or {}
        for key, wanted in values.items():
            clash = wanted is not None and key in old and old[key] != wanted
            if clash and not session.words.on("overwrite"):
                raise Failure(
                    f"error: --overwrite is false but found the following declared {field[:-1]}(s):"
                    f" '{key}' already has a value ({old[key]})"
                )
        session.ask("PATCH", path, {"metadata": {field: values}}, _PATCHES["merge"])
        session.call.out(f"{kind.plural.rstrip('s')}/{name} {done}")
    return 0


def _annotate(session: Session, words: list[str]) -> int:
    return _mark(session, words, "annotations", "annotated")


def _label_objects(session: Session, words: list[str]) -> int:
    return _mark(session, words, "labels", "labeled")


def _taint(session: Session, words: list[str]) -> int:
    """`taint nodes NAME KEY[=VALUE]:EFFECT` or `KEY-`."""
    changes = [word for word in words[1:] if ":" in word or word.endswith("-")]
    for kind, name in _targets(session, [word for word in words if word not in changes]):
        path = path_of(kind, "", name)
        taints = (session.ask("GET", path).get("spec") or {}).get("taints") or []
        for word in changes:
            key = re.split(r"[=:-]?(?:[:=]|-$)", word)[0]
            taints = [taint for taint in taints if taint["key"] != key]
            if not word.endswith("-"):
                pair, _, effect = word.partition(":")
                taint = {"key": key, "effect": effect}
                if "=" in pair:
                    taint["value"] = pair.partition("=")[2]
                taints.append(taint)
        session.ask("PATCH", path, {"spec": {"taints": taints}}, _PATCHES["merge"])
        session.call.out(f"node/{name} modified")
    return 0


def _auth(session: Session, words: list[str]) -> int:
    """`auth can-i VERB RESOURCE [--subresource S]`."""
    if words[:1] != ["can-i"] or len(words) < 3:  # noqa: PLR2004
        raise Failure(
            "error: you must specify two or three arguments: verb, resource, and optional"
            " resourceName"
        )
    verb, resource = words[1], words[2]
    plain, _, name = resource.partition("/")
    kind, _, group = plain.partition(".")
    attributes: dict[str, Any] = {"verb": verb}
    if resource.startswith("/"):
        review = {"nonResourceAttributes": {"verb": verb, "path": resource}}
    else:
        if kind != "*" and not group:
            found = find_by_word(session, kind)
            kind, group = found.plural, found.api_version.rpartition("/")[0]
        attributes.update({"resource": kind, "group": group if kind != "*" else "*"})
        if not session.words.on("all-namespaces") and kind != "*":
            attributes["namespace"] = session.namespace
        if name:
            attributes["name"] = name
        if session.words.get("subresource"):
            attributes["subresource"] = session.words.get("subresource")
        review = {"resourceAttributes": attributes}
    body = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": review,
    }
    answer = session.ask("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", body)
    allowed = bool((answer.get("status") or {}).get("allowed"))
    if not session.words.on("quiet"):
        session.call.out("yes" if allowed else "no")
    return 0 if allowed else 1


def _wait(session: Session, words: list[str]) -> int:
    """`wait --for=condition=X[=V]|delete|jsonpath... KIND/NAME --timeout=30s`."""
    limit_text = session.words.get("timeout", "30s")
    number = re.match(r"(\d+)(m|s|h)?", limit_text)
    seconds = 30.0
    if number:
        seconds = float(number[1]) * {"m": 60, "h": 3600}.get(number[2] or "s", 1)
    limit = time.monotonic() + seconds / session.system.life.speed
    wish = session.words.get("for")
    for kind, name in _targets(session, words):
        while not _holds(session, kind, name, wish):
            if time.monotonic() > limit:
                raise Failure(f"error: timed out waiting for the condition on {kind.plural}/{name}")
            session.system.pause_call(session.call, 0.1)
        session.call.out(f"{kind.plural.rstrip('s')}/{name} condition met")
    return 0


def _holds(session: Session, kind: Kind, name: str, wish: str) -> bool:
    status, found = session.client.request("GET", path_of(kind, session.namespace, name))
    if wish == "delete":
        return status == _NOT_FOUND
    if status >= 400:  # noqa: PLR2004
        raise Failure(session.explain(status, found))
    _, _, condition = wish.partition("=")
    wanted, _, value = condition.partition("=")
    return any(
        entry.get("type", "").lower() == wanted.lower() and entry.get("status") == (value or "True")
        for entry in (found.get("status") or {}).get("conditions") or []
    )


def _cluster_info(session: Session, words: list[str]) -> int:
    session.ask("GET", "/api/v1/namespaces/kube-system/services")
    session.call.out(f"Kubernetes control plane is running at {session.client.credentials.server}")
    return 0


VERBS: dict[str, Callable[[Session, list[str]], int]] = {
    "annotate": _annotate,
    "apply": _apply,
    "auth": _auth,
    "cluster-info": _cluster_info,
    "cordon": cordon,
    "create": _create,
    "delete": _delete,
    "drain": drain,
    "get": _get,
    "label": _label_objects,
    "patch": _patch,
    "taint": _taint,
    "uncordon": uncordon,
    "wait": _wait,
}
