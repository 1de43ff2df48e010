"""What kubelets may do: the node authorizer and the admission plugin NodeRestriction.

Facts: kubernetes:plugin/pkg/auth/authorizer/node/node_authorizer.go and
plugin/pkg/admission/noderestriction/admission.go. Since 1.32 a node may read only its own Node and
pods (feature AuthorizeNodeWithSelectors).
"""

from __future__ import annotations

from typing import Any

from cse_client.simulator.kube.errors import forbidden
from cse_client.simulator.kube.objects import Obj, dig
from cse_client.simulator.kube.rbac import Attributes, User, rule_allows
from cse_client.simulator.kube.rbac_defaults import node_rules
from cse_client.simulator.kube.store import Store

__all__ = ["NodeAuthorizer", "is_own_label", "restrict_node"]

_SELECTORS_SINCE = 32
_RULES = node_rules()
_OWN_NAME = (("coordination.k8s.io", "leases"), ("storage.k8s.io", "csinodes"))
_ACCESS = frozenset({"get", "list", "watch"})


# What a kubelet may set of the labels of kubernetes.io and k8s.io on its Node
# (kubernetes:staging/src/k8s.io/kubelet/pkg/apis/well_known_labels.go).
_LABELS = frozenset(
    {
        "kubernetes.io/hostname",
        "kubernetes.io/arch",
        "kubernetes.io/os",
        "beta.kubernetes.io/arch",
        "beta.kubernetes.io/os",
        "beta.kubernetes.io/instance-type",
        "node.kubernetes.io/instance-type",
        "failure-domain.beta.kubernetes.io/zone",
        "failure-domain.beta.kubernetes.io/region",
        "topology.kubernetes.io/zone",
        "topology.kubernetes.io/region",
    }
)
_DOMAINS = (".kubelet.kubernetes.io", ".node.kubernetes.io")


class NodeAuthorizer:
    """Allows a kubelet what concerns its own node; has no opinion on anybody else."""

    def __init__(self, store: Store, minor: int) -> None:
        self._store = store
        self.minor = minor

    def allows(self, user: User, asked: Attributes) -> bool:
        """Whether the node authorizer lets this through."""
        node = user.node
        if not node or asked.path:
            return False
        special = {
            ("", "secrets"): self._related,
            ("", "configmaps"): self._related,
            ("", "persistentvolumeclaims"): self._related,
            ("", "persistentvolumes"): self._nothing,
            ("", "serviceaccounts"): self._nothing,
            ("coordination.k8s.io", "leases"): self._lease,
            ("storage.k8s.io", "csinodes"): self._csi_node,
            ("storage.k8s.io", "volumeattachments"): self._nothing,
        }.get((asked.group, asked.resource))
        if special is not None:
            return special(node, asked)
        if self.minor >= _SELECTORS_SINCE and asked.group == "":
            if asked.resource == "nodes" and not self._own_node(node, asked):
                return False
            if asked.resource == "pods" and not self._own_pod(node, asked):
                return False
        return any(rule_allows(rule, asked) for rule in _RULES)

    @staticmethod
    def _nothing(_node: str, _asked: Attributes) -> bool:
        return False

    def _related(self, node: str, asked: Attributes) -> bool:
        """Only what a pod on this node refers to, one object at a time."""
        if asked.verb not in _ACCESS or asked.subresource or not asked.name:
            return False
        with self._store.lock:
            return any(
                dig(pod, "spec", "nodeName") == node and asked.name in _references(pod, asked)
                for pod in self._store.each(("", "pods"), asked.namespace)
            )

    @staticmethod
    def _lease(node: str, asked: Attributes) -> bool:
        return (
            asked.verb in ("get", "create", "update", "patch", "delete")
            and asked.namespace == "kube-node-lease"
            and (asked.verb == "create" or asked.name == node)
        )

    @staticmethod
    def _csi_node(node: str, asked: Attributes) -> bool:
        return (
            asked.verb in ("get", "create", "update", "patch", "delete")
            and not asked.subresource
            and (asked.verb == "create" or asked.name == node)
        )

    @staticmethod
    def _own_node(node: str, asked: Attributes) -> bool:
        if asked.verb in _ACCESS:
            return asked.name == node
        return True

    def _own_pod(self, node: str, asked: Attributes) -> bool:
        if asked.verb == "get":
            pod = self._store.get(("", "pods"), asked.namespace, asked.name)
            return bool(dig(pod, "spec", "nodeName") == node)
        if asked.verb in _ACCESS:
            return f"spec.nodeName={node}" in asked.field_selector.replace("==", "=").split(",")
        return True


def _references(pod: Obj, asked: Attributes) -> set[str]:
    """Return the names of that resource's objects that a pod needs."""
    found: set[str] = set()
    keys = {
        "secrets": ("secretRef", "secretKeyRef", "secret"),
        "configmaps": ("configMapRef", "configMapKeyRef", "configMap"),
        "persistentvolumeclaims": ("persistentVolumeClaim",),
    }[asked.resource]

    def walk(value: Any) -> None:
        if isinstance(value, list):
            for item in value:
                walk(item)
        elif isinstance(value, dict):
            for key, item in value.items():
                if key in keys and isinstance(item, dict):
                    found.update(
                        str(item[name])
                        for name in ("name", "secretName", "claimName")
                        if item.get(name)
                    )
                walk(item)

    walk(pod.get("spec"))
    if asked.resource == "secrets":
        found.update(item["name"] for item in dig(pod, "spec", "imagePullSecrets", default=[]))
    return found


def is_own_label(key: str) -> bool:
    """Return whether a kubelet may set this label on its own Node."""
    domain = key.split("/", 1)[0] if "/" in key else ""
    system = domain in ("kubernetes.io", "k8s.io") or domain.endswith((".kubernetes.io", ".k8s.io"))
    if domain == "node-restriction.kubernetes.io" or domain.endswith(
        ".node-restriction.kubernetes.io"
    ):
        return False
    return not system or key in _LABELS or f".{domain}".endswith(_DOMAINS)


def restrict_node(user: User, asked: Attributes, new: Obj | None, old: Obj | None) -> None:
    """NodeRestriction: refuse (403) what a kubelet may not write although its rights would do."""
    node = user.node
    if not node:
        return

    def refuse(why: str) -> Exception:
        return forbidden(asked.group, asked.resource, asked.name, why)

    key = (asked.group, asked.resource)
    name = dig(new, "metadata", "name") or asked.name
    if key == ("", "nodes"):
        if name != node:
            raise refuse(f"node {node!r} is not allowed to modify node {name!r}")
        _restrict_labels(node, new, old, refuse)
        if (
            old
            and new
            and not asked.subresource
            and (dig(new, "spec", "taints", default=[]) != dig(old, "spec", "taints", default=[]))
        ):
            raise refuse(f"node {node!r} is not allowed to modify taints")
    elif key == ("", "pods"):
        owner = dig(new, "spec", "nodeName") or dig(old, "spec", "nodeName")
        if owner != node and asked.subresource != "eviction":
            raise refuse(f"node {node!r} can only act on pods with spec.nodeName set to itself")
        mirror = "kubernetes.io/config.mirror" in dig(new, "metadata", "annotations", default={})
        if asked.verb == "create" and not asked.subresource and not mirror:
            raise refuse(
                'pod does not have "kubernetes.io/config.mirror" annotation, '
                f"node {node!r} can only create mirror pods"
            )
    elif key in _OWN_NAME and name != node:
        raise refuse(f"node {node!r} can only access the {asked.resource} of its own name")


def _restrict_labels(node: str, new: Obj | None, old: Obj | None, refuse: Any) -> None:
    after = dig(new, "metadata", "labels", default={})
    before = dig(old, "metadata", "labels", default={})
    if new is None:
        return
    changed = {key for key in {*after, *before} if after.get(key) != before.get(key)}
    bad = sorted(key for key in changed if not is_own_label(key))
    if bad:
        raise refuse(f"is not allowed to modify labels: {', '.join(bad)} (node {node!r})")
