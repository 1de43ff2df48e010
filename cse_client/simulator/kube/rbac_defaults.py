"""The roles and bindings that an API server makes by itself when it first starts.

Names, rules and labels: kubernetes:plugin/pkg/auth/authorizer/rbac/bootstrappolicy/policy.go and
its testdata. kubeadm's own bindings are not here: `kubeadm init` makes those. Left out are the
roles of the controllers (system:controller:*): nothing in this cluster runs under them.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from cse_client.simulator.kube.objects import Obj

__all__ = ["default_rbac", "node_rules"]

GROUP = "rbac.authorization.k8s.io"
_READ = "get list watch"
_WRITE = "create delete deletecollection patch update"
_SIGNER = "system:certificates.k8s.io:"
_EVERYBODY = ("system:authenticated", "system:unauthenticated")
_WORKLOADS = "daemonsets deployments deployments/scale replicasets replicasets/scale"


_HEALTH = ("/healthz", "/livez", "/readyz", "/version", "/version/")
_USERS = ("kube-controller-manager", "kube-dns", "kube-scheduler", "volume-scheduler")


def _rule(verbs: str, groups: str, resources: str, names: str = "") -> Obj:
    # "core" stands for the group whose name is empty.
    rule: Obj = {
        "verbs": verbs.split(),
        "apiGroups": ["" if group == "core" else group for group in groups.split()],
        "resources": resources.split(),
    }
    if names:
        rule["resourceNames"] = names.split()
    return rule


def _urls(*paths: str) -> Obj:
    return {"verbs": ["get"], "nonResourceURLs": list(paths)}


def _aggregates() -> dict[str, list[Obj]]:
    view = [
        _rule(
            _READ,
            "core",
            "configmaps endpoints persistentvolumeclaims persistentvolumeclaims/status pods "
            "replicationcontrollers replicationcontrollers/scale serviceaccounts services "
            "services/status bindings events limitranges namespaces/status pods/log pods/status "
            "replicationcontrollers/status resourcequotas resourcequotas/status namespaces",
        ),
        _rule(_READ, "discovery.k8s.io", "endpointslices"),
        _rule(
            _READ,
            "apps",
            "controllerrevisions daemonsets daemonsets/status deployments deployments/scale "
            "deployments/status replicasets replicasets/scale replicasets/status statefulsets "
            "statefulsets/scale statefulsets/status",
        ),
        _rule(_READ, "autoscaling", "horizontalpodautoscalers horizontalpodautoscalers/status"),
        _rule(_READ, "batch", "cronjobs cronjobs/status jobs jobs/status"),
        _rule(_READ, "policy", "poddisruptionbudgets poddisruptionbudgets/status"),
        _rule(_READ, "networking.k8s.io", "ingresses ingresses/status networkpolicies"),
    ]
    edit = [
        _rule(
            _READ,
            "core",
            "pods/attach pods/exec pods/portforward pods/proxy secrets services/proxy",
        ),
        _rule("impersonate", "core", "serviceaccounts"),
        _rule(_WRITE, "core", "pods pods/attach pods/exec pods/portforward pods/proxy"),
        _rule("create", "core", "pods/eviction serviceaccounts/token"),
        _rule(
            _WRITE,
            "core",
            "configmaps events persistentvolumeclaims replicationcontrollers "
            "replicationcontrollers/scale secrets serviceaccounts services services/proxy",
        ),
        _rule(_WRITE, "apps", f"{_WORKLOADS} deployments/rollback statefulsets statefulsets/scale"),
        _rule(_WRITE, "autoscaling", "horizontalpodautoscalers"),
        _rule(_WRITE, "batch", "cronjobs jobs"),
        _rule(_WRITE, "policy", "poddisruptionbudgets"),
        _rule(_WRITE, "networking.k8s.io", "ingresses networkpolicies"),
        _rule(f"{_READ} {_WRITE}", "coordination.k8s.io", "leases"),
    ]
    admin = [
        _rule("create", "authorization.k8s.io", "localsubjectaccessreviews"),
        _rule(f"{_READ} {_WRITE}", GROUP, "roles rolebindings"),
    ]
    return {"view": view, "edit": edit, "admin": admin}


def node_rules() -> list[Obj]:
    """Return the rules of system:node, which the node authorizer narrows to the node's own."""
    return [
        _rule("create", "authentication.k8s.io", "tokenreviews"),
        _rule("create", "authorization.k8s.io", "localsubjectaccessreviews subjectaccessreviews"),
        _rule(_READ, "core", "services"),
        _rule("create get list watch", "core", "nodes"),
        _rule("patch update", "core", "nodes nodes/status"),
        _rule("create patch update", "core events.k8s.io", "events"),
        _rule(_READ, "core", "pods"),
        _rule("create delete", "core", "pods"),
        _rule("patch update", "core", "pods/status"),
        _rule("create", "core", "pods/eviction"),
        _rule(_READ, "core", "configmaps secrets"),
        _rule("get", "core", "persistentvolumeclaims persistentvolumes endpoints"),
        _rule("create", "core", "serviceaccounts/token"),
        _rule("create get list watch", "certificates.k8s.io", "certificatesigningrequests"),
        _rule("create delete get patch update", "coordination.k8s.io", "leases"),
        _rule("get", "storage.k8s.io", "volumeattachments"),
        _rule("create delete get patch update", "storage.k8s.io", "csinodes"),
        _rule(_READ, "storage.k8s.io", "csidrivers"),
        _rule(_READ, "node.k8s.io", "runtimeclasses"),
    ]


def _cluster_roles() -> dict[str, list[Obj]]:
    csr = "certificatesigningrequests"
    return {
        "cluster-admin": [
            _rule("*", "*", "*"),
            {"verbs": ["*"], "nonResourceURLs": ["*"]},
        ],
        "system:auth-delegator": [
            _rule("create", "authentication.k8s.io", "tokenreviews"),
            _rule("create", "authorization.k8s.io", "subjectaccessreviews"),
        ],
        "system:basic-user": [
            _rule(
                "create", "authorization.k8s.io", "selfsubjectaccessreviews selfsubjectrulesreviews"
            ),
            _rule("create", "authentication.k8s.io", "selfsubjectreviews"),
        ],
        "system:discovery": [
            _urls("/api", "/api/*", "/apis", "/apis/*", "/openapi", "/openapi/*", *_HEALTH)
        ],
        "system:monitoring": [
            _urls("/healthz/*", "/livez/*", "/metrics", "/metrics/slis", "/readyz/*", *_HEALTH[:3])
        ],
        "system:public-info-viewer": [_urls(*_HEALTH)],
        "system:node-bootstrapper": [_rule("create get list watch", "certificates.k8s.io", csr)],
        "system:node-problem-detector": [
            _rule("get", "core", "nodes"),
            _rule("patch", "core", "nodes/status"),
            _rule("create patch update", "core events.k8s.io", "events"),
        ],
        "system:node-proxier": [
            _rule("list watch", "core", "services endpoints"),
            _rule(_READ, "core", "nodes"),
            _rule("create patch update", "core events.k8s.io", "events"),
            _rule("list watch", "discovery.k8s.io", "endpointslices"),
        ],
        "system:node": node_rules(),
        "system:kube-dns": [_rule("list watch", "core", "endpoints services")],
        "system:kube-scheduler": [
            _rule("create patch update", "core events.k8s.io", "events"),
            _rule(_READ, "core", "nodes pods services replicationcontrollers namespaces"),
            _rule("delete", "core", "pods"),
            _rule("create", "core", "bindings pods/binding"),
            _rule("patch update", "core", "pods/status"),
            _rule(_READ, "apps", "replicasets statefulsets"),
            _rule(_READ, "policy", "poddisruptionbudgets"),
            _rule(_READ, "core", "persistentvolumeclaims persistentvolumes"),
            _rule("create", "coordination.k8s.io", "leases"),
            _rule("get update", "coordination.k8s.io", "leases", "kube-scheduler"),
        ],
        "system:kube-controller-manager": [
            _rule("create patch update", "core events.k8s.io", "events"),
            _rule("create", "coordination.k8s.io", "leases"),
            _rule("get update", "coordination.k8s.io", "leases", "kube-controller-manager"),
            _rule("create update", "core", "secrets serviceaccounts"),
            _rule("delete", "core", "secrets"),
            _rule("get", "core", "configmaps namespaces secrets serviceaccounts"),
            _rule("create", "authentication.k8s.io", "tokenreviews"),
            _rule("create", "authorization.k8s.io", "subjectaccessreviews"),
            _rule("list watch", "*", "*"),
            _rule("create", "core", "serviceaccounts/token"),
        ],
        "system:volume-scheduler": [
            _rule(
                "get list patch update watch", "core", "persistentvolumes persistentvolumeclaims"
            ),
            _rule(_READ, "storage.k8s.io", "storageclasses"),
        ],
        **{
            f"{_SIGNER}{csr}:{kind}": [_rule("create", "certificates.k8s.io", f"{csr}/{kind}")]
            for kind in ("nodeclient", "selfnodeclient")
        },
        **{
            f"{_SIGNER}{name}-approver": [
                _rule("approve", "certificates.k8s.io", "signers", f"kubernetes.io/{name}")
            ]
            for name in (
                "kube-apiserver-client",
                "kube-apiserver-client-kubelet",
                "kubelet-serving",
                "legacy-unknown",
            )
        },
    }


@lru_cache(maxsize=1)
def _shared() -> tuple[dict[str, list[Obj]], dict[str, list[Obj]]]:
    # The rules are the same lists in every cluster of the process: hundreds of clusters stay small.
    return _cluster_roles(), _aggregates()


def _object(kind: str, name: str, *, namespace: str = "", labels: Any = None, **rest: Any) -> Obj:
    meta: Obj = {
        "name": name,
        "annotations": {"rbac.authorization.kubernetes.io/autoupdate": "true"},
        "labels": {"kubernetes.io/bootstrapping": "rbac-defaults", **(labels or {})},
    }
    if namespace:
        meta["namespace"] = namespace
    return {"apiVersion": f"{GROUP}/v1", "kind": kind, "metadata": meta, **rest}


def _binding(name: str, subjects: list[tuple[str, str]]) -> Obj:
    return _object(
        "ClusterRoleBinding",
        name,
        roleRef={"apiGroup": GROUP, "kind": "ClusterRole", "name": name},
        subjects=[{"apiGroup": GROUP, "kind": kind, "name": who} for kind, who in subjects],
    )


def default_rbac() -> Iterator[Obj]:
    """Yield the objects; their `rules` are shared between clusters and must not be changed."""
    roles, aggregates = _shared()
    for name, rules in roles.items():
        yield _object("ClusterRole", name, rules=rules)
    chain = {"view": "edit", "edit": "admin", "admin": ""}
    for name, rules in aggregates.items():
        own = f"{GROUP}/aggregate-to-{name}"
        yield _object(
            "ClusterRole", f"system:aggregate-to-{name}", labels={own: "true"}, rules=rules
        )
        upper = {f"{GROUP}/aggregate-to-{chain[name]}": "true"} if chain[name] else {}
        selector = [{"matchLabels": {own: "true"}}]
        yield _object(
            "ClusterRole",
            name,
            labels=upper,
            aggregationRule={"clusterRoleSelectors": selector},
            rules=[],
        )
    yield _binding("cluster-admin", [("Group", "system:masters")])
    yield _binding("system:basic-user", [("Group", _EVERYBODY[0])])
    yield _binding("system:discovery", [("Group", _EVERYBODY[0])])
    yield _binding("system:monitoring", [("Group", "system:monitoring")])
    yield _binding("system:public-info-viewer", [("Group", name) for name in _EVERYBODY])
    yield _binding("system:node-proxier", [("User", "system:kube-proxy")])
    # Without subjects since 1.8: the node authorizer does this.
    yield _binding("system:node", [])
    for name in _USERS:
        yield _binding(f"system:{name}", [("User", f"system:{name}")])
