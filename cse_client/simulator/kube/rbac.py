"""Role-based access control: who may do what, read from the cluster's own RBAC objects.

Evaluation as in kubernetes:plugin/pkg/auth/authorizer/rbac/rbac.go and
pkg/registry/rbac/validation/rule.go. The group system:masters is let through before any rule
(staging/src/k8s.io/apiserver/pkg/authorization/authorizerfactory, privileged groups).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cse_client.simulator.kube.objects import Obj
from cse_client.simulator.kube.store import Change, Store

__all__ = ["Attributes", "Rbac", "User", "covered", "rule_allows"]

GROUP = "rbac.authorization.k8s.io"
MASTERS = "system:masters"
_ACCOUNT = "system:serviceaccount:"


@dataclass(frozen=True)
class User:
    """Who asks."""

    name: str
    groups: tuple[str, ...] = ()
    uid: str = ""
    extra: Mapping[str, Sequence[str]] = field(default_factory=dict, compare=False)

    @property
    def node(self) -> str:
        """The node whose kubelet this is, or ''."""
        if "system:nodes" in self.groups and self.name.startswith("system:node:"):
            return self.name[len("system:node:") :]
        return ""


@dataclass(frozen=True)
class Attributes:
    """What is asked for: a resource, or (with `path`) something that is none."""

    verb: str
    group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""
    field_selector: str = ""

    @property
    def full_resource(self) -> str:
        """The resource as rules name it: `pods/log`."""
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource


def _path_matches(rule: str, path: str) -> bool:
    if rule.endswith("*"):
        return path.startswith(rule[:-1])
    return rule == path


def rule_allows(rule: Obj, asked: Attributes) -> bool:
    """Whether one PolicyRule covers what is asked."""
    verbs = rule.get("verbs") or ()
    if "*" not in verbs and asked.verb not in verbs:
        return False
    if asked.path:
        return any(_path_matches(url, asked.path) for url in rule.get("nonResourceURLs") or ())
    groups = rule.get("apiGroups") or ()
    if "*" not in groups and asked.group not in groups:
        return False
    resources = rule.get("resources") or ()
    wanted = {"*", asked.full_resource}
    if asked.subresource:
        wanted.add(f"*/{asked.subresource}")
    if not wanted.intersection(resources):
        return False
    names = rule.get("resourceNames") or ()
    return not names or asked.name in names


class Rbac:
    """The RBAC authorizer over a cluster's store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._cache: dict[User, list[tuple[str, list[Obj]]]] = {}
        store.listeners.append(self._changed)

    def _changed(self, change: Change) -> None:
        if change.key[0] == GROUP:
            self._cache.clear()

    def allows(self, user: User, asked: Attributes) -> bool:
        """Whether the user may."""
        if MASTERS in user.groups:
            return True
        return any(
            rule_allows(rule, asked)
            for scope, rules in self._grants(user)
            if not scope or (scope == asked.namespace and not asked.path)
            for rule in rules
        )

    def rules_for(self, user: User, namespace: str) -> Iterator[Obj]:
        """Yield the rules that apply to the user in a namespace."""
        if MASTERS in user.groups:
            yield {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}
            yield {"verbs": ["*"], "nonResourceURLs": ["*"]}
        for scope, rules in self._grants(user):
            if not scope or scope == namespace:
                yield from rules

    def role_rules(self, reference: Obj, namespace: str) -> list[Obj] | None:
        """Return the rules of the role that a binding refers to, None when there is none."""
        if reference.get("kind") == "Role":
            role = self._store.get((GROUP, "roles"), namespace, reference.get("name", ""))
        else:
            role = self._store.get((GROUP, "clusterroles"), "", reference.get("name", ""))
        return None if role is None else list(role.get("rules") or ())

    def _grants(self, user: User) -> list[tuple[str, list[Obj]]]:
        known = self._cache.get(user)
        if known is not None:
            return known
        with self._store.lock:
            grants = [
                (binding["metadata"].get("namespace") or "", rules)
                for plural in ("clusterrolebindings", "rolebindings")
                for binding in self._store.each((GROUP, plural))
                if _binds(binding, user)
                for rules in [
                    self.role_rules(binding["roleRef"], binding["metadata"].get("namespace") or "")
                ]
                if rules
            ]
            if len(self._cache) > 2048:  # noqa: PLR2004
                self._cache.clear()
            self._cache[user] = grants
        return grants


def _binds(binding: Obj, user: User) -> bool:
    for subject in binding.get("subjects") or ():
        kind, name = subject.get("kind"), subject.get("name")
        if kind == "User" and name == user.name:
            return True
        if kind == "Group" and name in user.groups:
            return True
        if kind == "ServiceAccount":
            namespace = subject.get("namespace") or binding["metadata"].get("namespace") or ""
            if user.name == f"{_ACCOUNT}{namespace}:{name}":
                return True
    return False


def _single_rules(rule: Obj) -> Iterator[Obj]:
    for verb in rule.get("verbs") or ():
        for url in rule.get("nonResourceURLs") or ():
            yield {"verbs": [verb], "nonResourceURLs": [url]}
        for group in rule.get("apiGroups") or ():
            for resource in rule.get("resources") or ():
                for name in rule.get("resourceNames") or ("",):
                    yield {
                        "verbs": [verb],
                        "apiGroups": [group],
                        "resources": [resource],
                        "resourceNames": [name] if name else [],
                    }


def _has(owned: Any, wanted: str) -> bool:
    return "*" in (owned or ()) or wanted in (owned or ())


def _covers(owner: Obj, single: Obj) -> bool:
    if not _has(owner.get("verbs"), single["verbs"][0]):
        return False
    if "nonResourceURLs" in single:
        wanted = single["nonResourceURLs"][0]
        return any(_path_matches(url, wanted) for url in owner.get("nonResourceURLs") or ())
    names = owner.get("resourceNames") or ()
    resource = single["resources"][0]
    return (
        _has(owner.get("apiGroups"), single["apiGroups"][0])
        and (
            _has(owner.get("resources"), resource)
            or ("/" in resource and f"*/{resource.split('/', 1)[1]}" in owner.get("resources", ()))
        )
        and (not names or (bool(single["resourceNames"]) and single["resourceNames"][0] in names))
    )


def covered(owned: Sequence[Obj], wanted: Sequence[Obj]) -> bool:
    """Whether the owned rules cover all the wanted ones: nobody may grant more than they have."""
    return all(
        any(_covers(owner, single) for owner in owned)
        for rule in wanted
        for single in _single_rules(rule)
    )
