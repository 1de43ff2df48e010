"""Which API paths kubectl's resource names mean, found out from the server's discovery."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cse_client.simulator.guest.kubectl.session import Failure

if TYPE_CHECKING:
    from cse_client.simulator.guest.kubectl.session import Session

__all__ = ["Kind", "find_by_kind", "find_by_word", "path_of"]

# What scripts use most, without a round of discovery: (words, apiVersion, plural, namespaced).
_KNOWN = (
    ("node nodes no", "v1", "nodes", False),
    ("pod pods po", "v1", "pods", True),
    ("secret secrets", "v1", "secrets", True),
    ("configmap configmaps cm", "v1", "configmaps", True),
    ("namespace namespaces ns", "v1", "namespaces", False),
    ("service services svc", "v1", "services", True),
    ("serviceaccount serviceaccounts sa", "v1", "serviceaccounts", True),
    ("daemonset daemonsets ds daemonset.apps", "apps/v1", "daemonsets", True),
    ("deployment deployments deploy deployment.apps", "apps/v1", "deployments", True),
    ("clusterrole clusterroles", "rbac.authorization.k8s.io/v1", "clusterroles", False),
    ("clusterrolebinding clusterrolebindings", "rbac.authorization.k8s.io/v1",
     "clusterrolebindings", False),
    ("role roles", "rbac.authorization.k8s.io/v1", "roles", True),
    ("rolebinding rolebindings", "rbac.authorization.k8s.io/v1", "rolebindings", True),
)  # fmt: skip


@dataclass(frozen=True)
class Kind:
    """A resource of the API."""

    api_version: str
    plural: str
    namespaced: bool


def _discover(session: Session, api_version: str) -> list[dict[str, Any]]:
    base = f"/api/{api_version}" if "/" not in api_version else f"/apis/{api_version}"
    status, found = session.client.request("GET", base)
    return found.get("resources") or [] if status == 200 else []  # noqa: PLR2004


def _groups(session: Session) -> list[str]:
    status, found = session.client.request("GET", "/apis")
    if status != 200:  # noqa: PLR2004
        raise Failure(session.explain(status, found))
    return ["v1"] + [
        group["preferredVersion"]["groupVersion"] for group in found.get("groups") or []
    ]


def find_by_word(session: Session, word: str) -> Kind:
    """Return the resource a user's word means.

    Raises:
        Failure: it is unknown.
    """
    for words, api_version, plural, namespaced in _KNOWN:
        if word.lower() in words.split():
            return Kind(api_version, plural, namespaced)
    plain, _, group = word.lower().partition(".")
    for api_version in _groups(session):
        if group and not api_version.startswith(group):
            continue
        for resource in _discover(session, api_version):
            names = {resource["name"], resource.get("singularName"), resource["kind"].lower()}
            names.update(resource.get("shortNames") or [])
            if plain in names and "/" not in resource["name"]:
                return Kind(api_version, resource["name"], bool(resource["namespaced"]))
    raise Failure(f'error: the server doesn\'t have a resource type "{word}"')


def find_by_kind(session: Session, document: dict[str, Any]) -> Kind:
    """Return the resource of a document.

    Raises:
        Failure: the server has none.
    """
    api_version, kind = str(document.get("apiVersion")), str(document.get("kind"))
    for words, known_version, plural, namespaced in _KNOWN:
        if known_version == api_version and words.split()[0] == kind.lower():
            return Kind(known_version, plural, namespaced)
    for resource in _discover(session, api_version):
        if resource["kind"] == kind and "/" not in resource["name"]:
            return Kind(api_version, resource["name"], bool(resource["namespaced"]))
    raise Failure(
        f'error: unable to recognize "": no matches for kind "{kind}" in version "{api_version}"'
    )


def path_of(kind: Kind, namespace: str, name: str = "") -> str:
    """Return the API path of a collection or of one object; "" as namespace = all of them."""
    base = (
        f"/api/{kind.api_version}" if "/" not in kind.api_version else f"/apis/{kind.api_version}"
    )
    where = f"/namespaces/{namespace}" if kind.namespaced and namespace else ""
    return f"{base}{where}/{kind.plural}" + (f"/{name}" if name else "")
